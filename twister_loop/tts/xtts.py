"""Coqui's XTTS v2, as published or fine-tuned: every text in the voice of a clip of the lesson."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..asr._base import BoundRecognizer
from ..audio import io as audio
from ..core.artifacts import not_in_cache_key
from ..core.errors import AudioError, ConfigError
from ..core.manifest import Manifest
from ..core.types import Checkpoint, Seconds, Utterance
from ._base import Synthesizer
from ._coqui import model_files
from ._coqui import xtts_model as xtts
from ._coqui.model_files import derive_seed

log = logging.getLogger(__name__)

SHORTEST, LONGEST = 3.0, 30.0
"""Seconds of a clip whose voice can be taken; XTTS asks for more than three."""


@dataclass(frozen=True)
class XttsSynthesizer(Synthesizer):
    """Speaks as the speakers of clips do (Casanova et al., arXiv 2406.04904): zero-shot, or tuned.

    The published weights are under the Coqui Public Model License: they, what is fine-tuned from
    them, and speech made with either are for non-commercial use only.
    """

    model: str = "coqui/XTTS-v2"
    """A folder with config.json, model.pth and vocab.json, for fine-tuning also dvae.pth and
    mel_stats.pth; or a name on the hub."""
    non_commercial: bool = not_in_cache_key(False)
    """Say true if you have read the licence of the weights and keep to it."""
    references: int = 32
    """Clips of the lesson whose voices it takes, of as many speakers as there are."""
    temperature: float = 0.75
    """Of the draw of every token: higher varies more, and fails more often."""
    speed: tuple[float, float] = (0.9, 1.1)
    """Times as fast as it would speak, drawn from this range for every text."""
    steps: int = 0
    """Updates of its GPT part on the lesson, as Coqui's recipe does it; 0 is zero-shot. It wants a
    GPU. A later round goes on from what the last one learned."""
    batch: int = 4
    """Clips in an update."""
    learning_rate: float = 5e-6
    """Constant, as in Coqui's recipe."""
    save_every: int = not_in_cache_key(500)
    """Steps between checkpoints, which take some 5 GB at the published size."""

    def __post_init__(self) -> None:
        if not self.non_commercial:
            raise ValueError(
                "non_commercial: the weights of XTTS are under the Coqui Public Model License "
                "(https://coqui.ai/cpml): say true if you keep to it"
            )
        if self.references < 1 or self.temperature <= 0 or not 0 < self.speed[0] <= self.speed[1]:
            raise ValueError("references: 1 at least; temperature, speed: above 0, smaller first")
        if self.steps < 0 or min(self.batch, self.save_every) < 1 or not self.learning_rate > 0:
            raise ValueError(
                "steps: not below 0; batch, save_every: 1 or more, learning_rate above 0"
            )

    @property
    def continues_from_last_round(self) -> bool:
        """Zero-shot it has nothing to go on from."""
        return self.steps > 0

    def validation_errors(self) -> Iterator[str]:
        if Path(self.model).expanduser().is_dir():
            try:
                self._base()
            except ConfigError as wrong:
                yield str(wrong)

    def check(self, start: Checkpoint | None, texts: Manifest, speech: Sequence[Manifest]) -> None:
        """Fetch the weights; refuse texts of which most are in languages that it does not speak."""
        base = self._base()
        longest = max((each.duration for manifest in speech for each in manifest), default=0.0)
        if longest < SHORTEST:
            raise ConfigError(
                f"no recording lasts {SHORTEST:g} s, which a reference must (the longest lasts "
                f"{longest:.1f} s), so there is no voice to take"
            )
        spoken = Counter(each.lang for each in texts)
        wrong = {
            lang: why for lang in spoken if (why := xtts.explain_unsupported_language(base, lang))
        }
        strange = sum(spoken[lang] for lang in wrong)
        for lang, why in wrong.items():
            log.warning("%d texts cannot be spoken: %s", spoken[lang], why)
        if 2 * strange > spoken.total():
            reasons = "; ".join(wrong.values())
            raise ConfigError(f"{strange} of {spoken.total()} texts cannot be spoken: {reasons}")

    def train(
        self,
        start: Checkpoint | None,
        filtered_labels: Manifest,
        texts: Manifest,
        champion: BoundRecognizer,
        out: Path,
        seed: int,
    ) -> Checkpoint:
        """Choose the clips whose voices are taken, and keep copies; fine-tune where asked.

        Raises ConfigError where no clip is long enough or too few can be learned from, and
        EngineError where the loss is not a number or the trainer fails.
        """
        base = self._base()  # before anything is spoken
        chosen = select_reference_clips(
            filtered_labels, self.references, np.random.default_rng(seed)
        )
        kept = []
        for number, each in enumerate(chosen):
            path = out / "audio" / f"{number:03d}.wav"
            try:
                seconds = audio.write(audio.load_utterance(each), path)
            except AudioError as error:
                log.warning("%s lends no voice: %s", each.id, error)
                continue
            copy = dataclasses.replace(each, audio_filepath=path, offset=0.0, channel=None)
            kept.append(dataclasses.replace(copy, duration=seconds))
        if not kept:
            raise ConfigError(
                f"xtts: no clip of the lesson lasts {SHORTEST:g} to {LONGEST:g} s and can be read, "
                "so there is no voice to take"
            )
        Manifest.write(kept, out)
        if self.steps and not (out / xtts.WEIGHTS).exists():
            tuned = start and (start.location / xtts.WEIGHTS).is_file()
            earlier = start.location if start and tuned else base
            options = self.steps, self.batch, self.learning_rate, self.save_every
            _tuning().tune(base, earlier, filtered_labels, out, seed, options)
        return Checkpoint("xtts", out)

    def synthesize(
        self, checkpoint: Checkpoint, texts: Iterable[Utterance], out: Path
    ) -> Iterator[Utterance]:
        """The reference, the speed and every token are drawn by the id of the text."""
        tuned = (checkpoint.location / xtts.WEIGHTS).is_file()
        with model_files.capture_output(), model_files.fork_random_state(0):
            model = xtts.load_model(checkpoint.location if tuned else self._base())
        references = list(Manifest.load(checkpoint.location))
        heard: dict[int, xtts.Voice] = {}
        for text in texts:
            seed = derive_seed(text.id)
            rng = np.random.default_rng(seed)
            place, speed = int(rng.integers(len(references))), float(rng.uniform(*self.speed))
            reference = references[place]
            spoken = dataclasses.replace(
                text, origin="synthetic", made_by=self.name, speaker=reference.speaker
            )
            if error := xtts.explain_unspeakable(model, text.text or "", text.lang):
                yield dataclasses.replace(spoken, error=error)
                continue
            if place not in heard:
                heard[place] = xtts.compute_voice(model, audio.load_utterance(reference))
            with model_files.capture_output(), model_files.fork_random_state(seed):
                samples = xtts.synthesize_samples(
                    model, text.text or "", text.lang, heard[place], self.temperature, speed
                )
            if not len(samples) or not np.isfinite(samples).all():
                yield dataclasses.replace(spoken, error="no speech came out")
                continue
            path = out / f"{text.id}.wav"
            duration: Seconds = audio.write(audio.resample(samples, xtts.XTTS_SAMPLE_RATE), path)
            yield dataclasses.replace(spoken, audio_filepath=path, duration=duration)

    def _base(self) -> Path:
        return xtts.find_model_folder(self.model, xtts.FINE_TUNING_FILES if self.steps else ())


def _tuning() -> Any:
    """The module that fine-tunes. Importing Coqui's part of it leaves the process one thread."""
    threads = torch.get_num_threads()
    from ._coqui import xtts_training as _xtts_train

    torch.set_num_threads(threads)
    return _xtts_train


def select_reference_clips(
    lesson: Iterable[Utterance], count: int, rng: np.random.Generator
) -> Sequence[Utterance]:
    """Clips long enough, drawn so that every speaker has about as many as another."""
    by_speaker: dict[str | None, list[Utterance]] = {}
    for each in lesson:
        if not each.error and SHORTEST <= each.duration <= LONGEST:
            by_speaker.setdefault(each.speaker, []).append(each)
    each_one = math.ceil(count / max(1, len(by_speaker)))
    drawn = []
    for clips in by_speaker.values():
        places = rng.permutation(len(clips))[:each_one]
        drawn += [clips[place] for place in places]
    return [drawn[place] for place in sorted(rng.permutation(len(drawn))[:count])]
