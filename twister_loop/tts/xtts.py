"""Coqui's XTTS v2 as it was published: every text in the voice of a clip of the lesson."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import audio
from ..artifact import unsigned
from ..errors import AudioError, ConfigError
from ..manifest import Manifest
from ..parts import Listener, Synthesizer
from ..records import Checkpoint, Seconds, Utterance
from . import _coqui_voice as voice
from . import _xtts_model as xtts
from ._coqui_voice import seed_of

log = logging.getLogger(__name__)

SHORTEST, LONGEST = 3.0, 30.0
"""Seconds of a clip whose voice can be taken; XTTS asks for more than three."""


@dataclass(frozen=True)
class XttsSynthesizer(Synthesizer):
    """Zero-shot: learns nothing, takes voices from clips (Casanova et al., arXiv 2406.04904).

    The published weights are under the Coqui Public Model License: they, and speech made with
    them, are for non-commercial use only.
    """

    continues = False
    model: str = "coqui/XTTS-v2"
    """A folder with config.json, model.pth and vocab.json, or a name on the hub."""
    non_commercial: bool = unsigned(False)
    """Say true if you have read the licence of the weights and keep to it."""
    references: int = 32
    """Clips of the lesson whose voices it takes, of as many speakers as there are."""
    temperature: float = 0.75
    """Of the draw of every token: higher varies more, and fails more often."""
    speed: tuple[float, float] = (0.9, 1.1)
    """Times as fast as it would speak, drawn from this range for every text."""

    def __post_init__(self) -> None:
        if not self.non_commercial:
            raise ValueError(
                "non_commercial: the weights of XTTS are under the Coqui Public Model License "
                "(https://coqui.ai/cpml): say true if you keep to it"
            )
        if self.references < 1 or self.temperature <= 0 or not 0 < self.speed[0] <= self.speed[1]:
            raise ValueError("references: 1 at least; temperature, speed: above 0, smaller first")

    def train(
        self,
        start: Checkpoint | None,
        lesson: Manifest,
        texts: Manifest,
        champion: Listener,
        out: Path,
        seed: int,
    ) -> Checkpoint:
        """Choose the clips whose voices are taken, and keep copies. Raises ConfigError for none."""
        xtts.find(self.model)  # before anything is spoken
        chosen = chosen_from(lesson, self.references, np.random.default_rng(seed))
        kept = []
        for number, each in enumerate(chosen):
            path = out / "audio" / f"{number:03d}.wav"
            try:
                seconds = audio.write(audio.of(each), path)
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
        return Checkpoint("xtts", out)

    def synthesize(
        self, checkpoint: Checkpoint, texts: Iterable[Utterance], out: Path
    ) -> Iterator[Utterance]:
        """The reference, the speed and every token are drawn by the id of the text."""
        with voice.captured(), voice.seeded(0):
            model = xtts.load(xtts.find(self.model))
        references = list(Manifest.load(checkpoint.location))
        heard: dict[int, xtts.Voice] = {}
        for text in texts:
            seed = seed_of(text.id)
            rng = np.random.default_rng(seed)
            place, speed = int(rng.integers(len(references))), float(rng.uniform(*self.speed))
            reference = references[place]
            spoken = dataclasses.replace(
                text, origin="synthetic", made_by=self.name, speaker=reference.speaker
            )
            if error := xtts.unspeakable(model, text.text or "", text.lang):
                yield dataclasses.replace(spoken, error=error)
                continue
            if place not in heard:
                heard[place] = xtts.voice_of(model, audio.of(reference))
            with voice.captured(), voice.seeded(seed):
                samples = xtts.speak(
                    model, text.text or "", text.lang, heard[place], self.temperature, speed
                )
            if not len(samples) or not np.isfinite(samples).all():
                yield dataclasses.replace(spoken, error="no speech came out")
                continue
            path = out / f"{text.id}.wav"
            duration: Seconds = audio.write(audio.resample(samples, xtts.RATE), path)
            yield dataclasses.replace(spoken, audio_filepath=path, duration=duration)


def chosen_from(
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
