"""Data augmentation: random effects, repeatable for each utterance, epoch and copy.

The random numbers for an utterance depend on the seed of the round (made from the plan's seed and
the round's number), the epoch or the number of the copy, and the utterance's id. They do not
depend on the order of work or on the number of processes that share it.

Effects come after packing, so they cover gaps and pauses of packed speech like a recording. They
come before the padding to Whisper's window, which is digital silence as in decoding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np

from ..core import schema
from ..core.errors import AudioError
from ..core.file_hashes import VerifiedManifest
from ..core.manifest import Manifest
from ..core.ranges import Range
from ..core.segments import MAX_WINDOW
from ..core.types import Share, Utterance
from . import io as audio
from .effects._base import Effect
from .io import Samples


@dataclass(frozen=True)
class RandomEffect:
    """Effect with the probability of applying it."""

    effect: Effect
    probability: Share


@dataclass(frozen=True)
class Augmentation:
    """Effects that are applied to training speech."""

    effects: tuple[RandomEffect, ...]
    """Effects in the order in which they are applied. If none is drawn for an utterance, it stays
    as it is."""
    when: Literal["written", "reading"] = "written"
    """`written` stores augmented copies with the round's other audio, the same for all epochs.
    `reading` augments whenever training reads an utterance: anew in every epoch, and without
    copies on disk."""
    copies: Annotated[int, Range(1, 1000)] = 1
    """Number of different augmented copies of every utterance, 1 or more."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS

    def apply(
        self, utterance: Utterance, seed: int, epoch: int, copy: int
    ) -> tuple[Utterance, Samples]:
        """Return the augmented utterance and its samples.

        An effect that would lengthen an utterance beyond 30 s is left out.

        Args:
            utterance: the speech as it was recorded.
            seed: the seed of the round.
            epoch: the epoch, or the number of the written copy.
            copy: distinguishes several occurrences of one utterance within an epoch.

        Returns:
            The utterance with the names of the effects in `made_by`, its new duration, and times
            of pieces and words that fit; and float32 samples (n_samples,) at 16 kHz.

        Raises:
            AudioError: the audio cannot be read, or an effect made samples that are not finite.
        """
        samples = audio.load_utterance(utterance)
        # The id is part of the seed, so that the order of the manifest does not matter.
        rng = np.random.default_rng([seed, epoch, copy, *utterance.id.encode()])
        # All are drawn before the first is applied: how many random numbers an effect takes must
        # not decide whether the next one is drawn.
        drawn_effects = [
            random_effect.effect
            for random_effect in self.effects
            if rng.random() < random_effect.probability
        ]
        max_samples = round(MAX_WINDOW * audio.SAMPLE_RATE)
        applied_names = list[str]()
        for effect in drawn_effects:
            # Clipped after each effect, as what is written and read back is.
            changed = np.clip(effect.apply(samples, rng), -1.0, 1.0)
            # One NaN in a file of noise would make a training step, or a written file, useless.
            if not np.isfinite(changed).all():
                raise AudioError(
                    f"{utterance.audio_filepath}: the effect {effect.name} made samples that are "
                    "NaN or infinite; check the recordings that it uses"
                )
            # Whisper trains on windows of 30 s. Longer recordings were too long before.
            if len(changed) > max_samples >= len(samples):
                continue
            if effect.stretches:
                utterance = _scale_times(utterance, factor=len(changed) / len(samples))
            samples = changed
            applied_names.append(effect.name)
        if applied_names:
            made_by = "+".join(filter(None, [utterance.made_by, *applied_names]))
            duration = len(samples) / audio.SAMPLE_RATE
            utterance = replace(utterance, duration=duration, made_by=made_by)
        return utterance, samples


@dataclass(frozen=True)
class AugmentedDataset(VerifiedManifest):
    """Manifest whose audio is augmented anew in every epoch; read it with `load_audio`."""

    augmentation: Augmentation
    seed: int


def load_audio(
    manifest: Manifest, utterance: Utterance, epoch: int, copy: int = 0
) -> tuple[Utterance, Samples]:
    """Return an utterance as training uses it in an epoch, and its samples.

    Args:
        manifest: the training data; an `AugmentedDataset` is augmented, any other is not.
        utterance: an utterance of the manifest.
        epoch: the epoch, counted from 1.
        copy: distinguishes several occurrences of one utterance in the manifest.

    Returns:
        The utterance, and float32 samples (n_samples,) at 16 kHz.

    Raises:
        AudioError: the audio cannot be read, or changed since it was listed.
    """
    # Training reads a file many times, over hours or days.
    if isinstance(manifest, VerifiedManifest):
        manifest.check(utterance)
    if isinstance(manifest, AugmentedDataset):
        return manifest.augmentation.apply(utterance, manifest.seed, epoch, copy)
    return utterance, audio.load_utterance(utterance)


def _scale_times(utterance: Utterance, factor: float) -> Utterance:
    """Return the utterance with the times of its pieces and words multiplied by a factor."""

    # To milliseconds, as manifests hold times.
    def scale(seconds: float) -> float:
        return round(seconds * factor, 3)

    return replace(
        utterance,
        pieces=tuple(
            replace(piece, start=scale(piece.start), end=scale(piece.end))
            for piece in utterance.pieces
        ),
        words=tuple(
            replace(word, start=scale(word.start), end=scale(word.end)) for word in utterance.words
        ),
    )
