"""Speed perturbation (Ko et al., 2015): faster or slower, which also moves the pitch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...core.ranges import MinLen, Range
from .. import io as audio
from ..io import Samples
from ._base import Effect


@dataclass(frozen=True)
class Speed(Effect):
    stretches = True

    factors: Annotated[tuple[Annotated[float, Range(0.1, 10)], ...], MinLen(1)] = (0.9, 1.1)
    """Factors, one of which is drawn; 1.1 is a tenth faster."""

    def apply(self, samples: Samples, rng: np.random.Generator) -> Samples:
        factor = float(rng.choice(self.factors))
        # Read at another rate than it was recorded at, as a tape that runs faster.
        return audio.resample(samples, audio.SAMPLE_RATE * factor, audio.SAMPLE_RATE)
