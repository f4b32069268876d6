"""Filter on the audio bandwidth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...audio import io as audio
from ...core.ranges import Range
from ...core.types import Hertz
from ._estimate import AudioEstimate


@dataclass(frozen=True)
class Bandwidth(AudioEstimate):
    """Drops speech whose high frequencies are missing.

    Reads `Utterance.bandwidth` where the scan has estimated it (`scan: {estimate: [bandwidth]}`),
    else the audio.
    """

    # Below what a telephone gives, so that telephone speech passes by default.
    at_least: Annotated[Hertz, Range(0, 8000)] = 3_000.0
    """Lowest bandwidth, in Hz. A telephone call reaches some 3400 Hz, an undamaged recording at
    16 kHz nearly 8000 Hz. No engine here uses higher frequencies."""

    def estimate(self, samples: audio.Samples) -> Hertz:
        return audio.estimate_bandwidth(samples)

    def describe(self, estimate: float) -> str:
        return f"up to {estimate:.0f} Hz"
