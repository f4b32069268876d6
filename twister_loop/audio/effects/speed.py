"""Speak faster or slower, pitch included: speed perturbation (Ko et al., 2015)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import io as audio
from ..io import Samples
from ._base import Effect


@dataclass(frozen=True)
class Speed(Effect):
    stretches = True

    factors: tuple[float, ...] = (0.9, 1.1)
    """One of these is drawn; 1.1 is a tenth faster."""

    def apply(self, samples: Samples, rng: np.random.Generator) -> Samples:
        factor = float(rng.choice(self.factors))
        return audio.resample(samples, audio.SAMPLE_RATE * factor, audio.SAMPLE_RATE)
