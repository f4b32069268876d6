"""Filter on the estimated sound quality (DNSMOS)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...audio import dnsmos as quality
from ...audio import io as audio
from ...core.ranges import Range
from ._estimate import AudioEstimate


@dataclass(frozen=True)
class Dnsmos(AudioEstimate):
    """Drops speech of poor sound quality, such as noisy or distorted recordings.

    Reads `Utterance.dnsmos` where the scan has estimated it (`scan: {estimate: [dnsmos]}`), else
    the audio.
    """

    at_least: Annotated[float, Range(1, 5)] = 3.0
    """Lowest overall quality (OVRL) as people would judge it, from 1 to 5, estimated without a
    reference (DNSMOS P.835, arXiv 2110.01763). 3.0 is Emilia's threshold."""

    def estimate(self, samples: audio.Samples) -> float:
        return quality.estimate_dnsmos(samples)

    def describe(self, estimate: float) -> str:
        return f"DNSMOS {estimate:.2f}"
