"""Gain: speech becomes louder or softer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ...core.ranges import Span
from ..io import Samples
from ._audiomentations import apply_transform
from ._base import Effect


@dataclass(frozen=True)
class Gain(Effect):
    requires: ClassVar[tuple[str, ...]] = ("audiomentations",)
    decibels: Annotated[tuple[float, float], Span(-100, 100)] = (-12.0, 6.0)
    """Change of the level in decibels, drawn between these two."""

    def apply(self, samples: Samples, rng: np.random.Generator) -> Samples:
        import audiomentations

        low, high = self.decibels
        return apply_transform(
            audiomentations.Gain(min_gain_db=low, max_gain_db=high, p=1.0), samples, rng
        )
