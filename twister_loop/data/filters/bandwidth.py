"""Drop speech whose high frequencies are missing."""

from __future__ import annotations

from dataclasses import dataclass

from ...audio import io as audio
from ...core.types import Hertz
from ._estimate import AudioEstimate


@dataclass(frozen=True)
class Bandwidth(AudioEstimate):
    at_least: Hertz = 3_000.0
    """Up to which there must be sound: a telephone gives some 3400, a whole recording at 16 kHz
    nearly 8000, beyond which nothing here hears. Read where `scan` has estimated it."""

    def estimate(self, samples: audio.Samples) -> Hertz:
        return audio.bandwidth(samples)

    def describe(self, estimated: Hertz) -> str:
        return f"up to {estimated:.0f} Hz"
