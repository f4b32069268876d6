"""Make it louder or softer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..audio import Samples
from ..parts import Effect


@dataclass(frozen=True)
class Gain(Effect):
    decibels: tuple[float, float] = (-12.0, 6.0)
    """Drawn between these."""

    def apply(self, samples: Samples, rng: np.random.Generator) -> Samples:
        louder: Samples = samples * np.float32(10 ** (rng.uniform(*self.decibels) / 20))
        return np.clip(louder, -1, 1)
