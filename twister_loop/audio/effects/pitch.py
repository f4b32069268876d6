"""Pitch shift that keeps the duration."""

from __future__ import annotations

from dataclasses import dataclass

import audiomentations
import numpy as np

from ..io import Samples
from ._audiomentations import apply_transform
from ._base import Effect


@dataclass(frozen=True)
class Pitch(Effect):
    semitones: tuple[float, float] = (-2.0, 2.0)
    """Shift in semitones, drawn between these two."""

    def __post_init__(self) -> None:
        if self.semitones[0] > self.semitones[1]:
            raise ValueError("semitones: two numbers, the smaller one first")

    def apply(self, samples: Samples, rng: np.random.Generator) -> Samples:
        low, high = self.semitones
        transform = audiomentations.PitchShift(min_semitones=low, max_semitones=high, p=1.0)
        return apply_transform(transform, samples, rng)
