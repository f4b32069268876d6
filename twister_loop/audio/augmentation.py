"""Speech as it sounds in one epoch or in one written copy: repeatable, and never the same.

What happens to an utterance is decided by the plan's seed and the round's number (which make one
seed of the round), the epoch or the number of the copy, and its id: by nothing that depends on
the order of work or on how many processes share it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..core import schema
from ..core.manifest import Manifest
from ..core.segments import MAX_WINDOW
from ..core.types import Share, Utterance
from . import io as audio
from .effects._base import Effect
from .io import Samples


@dataclass(frozen=True)
class RandomEffect:
    """An effect, and how often it is drawn."""

    effect: Effect
    probability: Share


@dataclass(frozen=True)
class Augmentation:
    """How speech is perturbed for training."""

    effects: tuple[RandomEffect, ...]
    """In this order; what none was drawn for stays as it is."""
    when: Literal["written", "reading"] = "written"
    """Written out beside the round's other audio, once and the same for all epochs; or whenever
    training reads an utterance, anew in every epoch and with no copy on disk."""
    copies: int = 1
    """How often everything is written out, perturbed otherwise each time."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS

    def __post_init__(self) -> None:
        if self.copies < 1:
            raise ValueError("copies: at least 1")

    def apply(
        self, utterance: Utterance, seed: int, epoch: int, copy: int
    ) -> tuple[Utterance, Samples]:
        """What is heard, float32 (n_samples,) at 16 kHz, and the utterance with what was done.

        Where an effect stretches time, the places of pieces and words are stretched alike; one
        that would make more than 30 s of less is left out. Raises AudioError.
        """
        samples = audio.load_utterance(utterance)
        rng = np.random.default_rng([seed, epoch, copy, *utterance.id.encode()])
        drawn = [each.effect for each in self.effects if rng.random() < each.probability]
        most, done = round(MAX_WINDOW * audio.SAMPLE_RATE), list[str]()
        for effect in drawn:
            changed = np.clip(effect.apply(samples, rng), -1.0, 1.0)
            if len(changed) > most >= len(samples):
                continue
            if effect.stretches:
                utterance = _stretched(utterance, len(changed) / len(samples))
            samples = changed
            done.append(effect.name)
        if done:
            made_by = "+".join(filter(None, [utterance.made_by, *done]))
            duration = len(samples) / audio.SAMPLE_RATE
            utterance = replace(utterance, duration=duration, made_by=made_by)
        return utterance, samples


@dataclass(frozen=True)
class AugmentedDataset(Manifest):
    """A manifest that sounds otherwise in every epoch."""

    augmentation: Augmentation
    seed: int


def load_audio(
    manifest: Manifest, utterance: Utterance, epoch: int, copy: int = 0
) -> tuple[Utterance, Samples]:
    """One of its utterances as training hears it in an epoch, perturbed where the lesson is.

    `copy` tells the times apart that one utterance stands in it. Raises AudioError.
    """
    if isinstance(manifest, AugmentedDataset):
        return manifest.augmentation.apply(utterance, manifest.seed, epoch, copy)
    return utterance, audio.load_utterance(utterance)


def _stretched(utterance: Utterance, factor: float) -> Utterance:
    def later(at: float) -> float:
        return round(at * factor, 3)

    return replace(
        utterance,
        pieces=tuple(
            replace(each, start=later(each.start), end=later(each.end)) for each in utterance.pieces
        ),
        words=tuple(
            replace(each, start=later(each.start), end=later(each.end)) for each in utterance.words
        ),
    )
