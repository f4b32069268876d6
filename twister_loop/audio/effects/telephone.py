"""Telephone line: 300 to 3400 Hz, 8 kHz, companded as in ITU-T G.711."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from .. import io as audio
from ..io import Samples
from ._audiomentations import apply_transform
from ._base import Effect

LINE_RATE = 8_000
"""Sample rate of the line in hertz."""
LOW, HIGH = 300.0, 3_400.0
"""Band of the line in hertz."""


@dataclass(frozen=True)
class Telephone(Effect):
    requires: ClassVar[tuple[str, ...]] = ("audiomentations",)
    law: Literal["mu", "a"] = "mu"
    """Companding law, by which samples become 8 bits: `mu` in North America and Japan, `a`
    elsewhere."""

    def apply(self, samples: Samples, rng: np.random.Generator) -> Samples:
        import audiomentations

        center, width = (LOW + HIGH) / 2, HIGH - LOW
        # The filter is random in audiomentations: equal limits make it always the same.
        band = audiomentations.BandPassFilter(
            min_center_freq=center,
            max_center_freq=center,
            min_bandwidth_fraction=width / center,
            max_bandwidth_fraction=width / center,
            p=1.0,
        )
        subtype = {"mu": "ULAW", "a": "ALAW"}[self.law]
        return audio.encode_and_decode(
            apply_transform(band, samples, rng), "WAV", subtype, LINE_RATE
        )
