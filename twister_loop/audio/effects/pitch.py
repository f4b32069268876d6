"""Pitch shift that keeps the duration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ...core.ranges import Span
from ..io import Samples
from ._audiomentations import apply_transform
from ._base import Effect


@dataclass(frozen=True)
class Pitch(Effect):
    requires: ClassVar[tuple[str, ...]] = ("audiomentations",)
    semitones: Annotated[tuple[float, float], Span(-24, 24)] = (-2.0, 2.0)
    """Shift in semitones, drawn between these two."""

    def apply(self, samples: Samples, rng: np.random.Generator) -> Samples:
        import audiomentations

        low, high = self.semitones
        transform = audiomentations.PitchShift(min_semitones=low, max_semitones=high, p=1.0)
        return apply_transform(transform, samples, rng)
