"""Synthesizer that speaks a hundred languages by rules: espeak-ng, the last resort of a voice.

It needs no training and sounds like a machine. Variants of its voice, pitches and speeds are drawn
for every text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from ..asr._base import WeightsStatus
from ..audio import io as audio
from ..audio.resampling import resample
from ..core.manifest import Manifest
from ..core.ranges import Range
from ..core.types import Checkpoint, Language, Utterance
from . import _espeak
from ._drawing import make_generator
from ._untrained import UntrainedSynthesizer

VARIANTS = ("", "m1", "m2", "m3", "m4", "m7", "f1", "f2", "f3", "f4", "f5")
"""Variants of a voice that come with espeak-ng and sound like a man or a woman; `` is its own."""
PITCHES = (30, 70)
"""Range of the pitch, which espeak-ng has from 0 to 100."""
RATE_LIMITS = (80, 450)
"""Words in a minute between which espeak-ng's rate lies."""


@dataclass(frozen=True)
class EspeakSynthesizer(UntrainedSynthesizer):
    """Voice by rules for every language of espeak-ng, which needs no training."""

    slowest: Annotated[int, Range(*RATE_LIMITS)] = 120
    """Lowest rate that is drawn, in words a minute."""
    fastest: Annotated[int, Range(*RATE_LIMITS)] = 190
    """Highest rate that is drawn, in words a minute."""

    def __post_init__(self) -> None:
        if self.slowest > self.fastest:
            raise ValueError(
                f"slowest: {self.slowest} is more than `fastest: {self.fastest}`; exchange them"
            )

    def find_weights(self) -> WeightsStatus:
        if find_spec("espeakng_loader") is None:
            problem = "needs the package 'espeakng_loader': pip install 'twister-loop[kokoro]'"
            return WeightsStatus("espeak-ng", "nowhere", problem=problem)
        return WeightsStatus("espeak-ng", "the package espeakng-loader")

    def explain_language(self, lang: Language | None) -> str | None:
        return _espeak.explain_language(lang)

    def check(self, start: Checkpoint | None, texts: Manifest, speech: Sequence[Manifest]) -> None:
        """Check that espeak-ng is installed and reads the languages of the texts."""
        _espeak.check_languages(self.name, texts)

    def synthesize(
        self, checkpoint: Checkpoint, texts: Iterable[Utterance], out: Path
    ) -> Iterator[Utterance]:
        """Yield the texts as speech; one in a language that espeak-ng does not read is an error."""
        for text in texts:
            voice = _espeak.find_voice(text.lang)
            if voice is None:
                yield replace(text, error=_espeak.explain_language(text.lang))
                continue
            # One voice would teach its own sound: what differs must be the speaker, not the words.
            generator = make_generator(text.id)
            variant = str(generator.choice(VARIANTS))
            samples, rate = _espeak.synthesize(
                text.text or "",
                f"{voice}+{variant}" if variant else voice,
                rate=int(generator.integers(self.slowest, self.fastest + 1)),
                pitch=int(generator.integers(*PITCHES)),
            )
            if not len(samples):
                yield replace(text, error="espeak-ng says nothing for it")
                continue
            path = out / f"{text.id}.wav"
            duration = audio.write(resample(samples, rate), path)
            yield replace(
                text,
                audio_filepath=path,
                duration=duration,
                speaker=f"espeak-{variant or 'own'}",
                made_by=self.name,
            )
