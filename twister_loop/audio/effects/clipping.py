"""Clipping, as of an overdriven microphone: the loudest samples are cut off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ...core.ranges import Span
from ..io import Samples
from ._audiomentations import apply_transform
from ._base import Effect


@dataclass(frozen=True)
class Clipping(Effect):
    requires: ClassVar[tuple[str, ...]] = ("audiomentations",)
    percent: Annotated[tuple[int, int], Span(0, 100)] = (4, 20)
    """Percent of the samples that are cut off, drawn between these two."""

    def apply(self, samples: Samples, rng: np.random.Generator) -> Samples:
        import audiomentations

        transform = audiomentations.ClippingDistortion(
            min_percentile_threshold=self.percent[0],
            max_percentile_threshold=self.percent[1],
            p=1.0,
        )
        return apply_transform(transform, samples, rng)
