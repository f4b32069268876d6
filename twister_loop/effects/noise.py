"""Add pink noise, as rooms and lines have it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..audio import Samples
from ..parts import Effect


@dataclass(frozen=True)
class Noise(Effect):
    snr: tuple[float, float] = (10.0, 40.0)
    """Signal-to-noise ratio in decibels, drawn between these."""

    def apply(self, samples: Samples, rng: np.random.Generator) -> Samples:
        spectrum = np.fft.rfft(rng.standard_normal(len(samples)))  # (n_samples // 2 + 1,)
        spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))  # 1/f power
        noise = np.fft.irfft(spectrum, len(samples))
        power = np.mean(samples**2) / 10 ** (rng.uniform(*self.snr) / 10)
        noise *= np.sqrt(power / (np.mean(noise**2) + 1e-12))
        return (samples + noise).astype(np.float32)
