"""Send it through a telephone line: 300 to 3400 Hz, 8 kHz, mu-law (ITU-T G.711)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import audio
from ..audio import Samples
from ..parts import Effect

LINE_RATE = 8_000
"""Hertz."""
MU = 255


@dataclass(frozen=True)
class Telephone(Effect):
    def apply(self, samples: Samples, rng: np.random.Generator) -> Samples:
        line = audio.resample(samples, audio.SAMPLE_RATE, LINE_RATE)
        spectrum = np.fft.rfft(line)
        frequency = np.fft.rfftfreq(len(line), 1 / LINE_RATE)
        spectrum[(frequency < 300) | (frequency > 3400)] = 0
        line = np.clip(np.fft.irfft(spectrum, len(line)), -1, 1)
        coded = np.sign(line) * np.log1p(MU * np.abs(line)) / np.log1p(MU)
        coded = np.round(coded * 127) / 127  # 8 bits
        line = np.sign(coded) * np.expm1(np.abs(coded) * np.log1p(MU)) / MU
        return audio.resample(line.astype(np.float32), LINE_RATE, audio.SAMPLE_RATE)
