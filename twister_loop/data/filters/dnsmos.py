"""Drop speech of poor sound."""

from __future__ import annotations

from dataclasses import dataclass

from ...audio import dnsmos as quality
from ...audio import io as audio
from ._estimate import AudioEstimate


@dataclass(frozen=True)
class Dnsmos(AudioEstimate):
    at_least: float = 3.0
    """Overall quality (OVRL) as people would judge it, 1 to 5, estimated without a reference
    (DNSMOS P.835, arXiv 2110.01763); 3.0 is Emilia's. Read where `scan` has estimated it."""

    def estimate(self, samples: audio.Samples) -> float:
        return quality.dnsmos(samples)

    def describe(self, estimated: float) -> str:
        return f"DNSMOS {estimated:.2f}"
