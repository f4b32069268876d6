"""Filter on the estimated sound quality (DNSMOS)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ...audio import io as audio
from ...core.ranges import Range
from ._estimate import AudioEstimate


@dataclass(frozen=True)
class Dnsmos(AudioEstimate):
    """Drops speech of poor sound quality, such as noisy or distorted recordings.

    Reads `Utterance.dnsmos` where the scan has estimated it (`scan: {estimate: [dnsmos]}`), else
    the audio.
    """

    requires: ClassVar[tuple[str, ...]] = ("speechmos",)
    at_least: Annotated[float, Range(1, 5)] = 3.0
    """Lowest overall quality (OVRL) as people would judge it, from 1 to 5, estimated without a
    reference (DNSMOS P.835, arXiv 2110.01763). 3.0 is Emilia's threshold."""

    def estimate(self, samples: audio.Samples) -> float:
        # With it come ONNX Runtime and librosa, which a plan that only names the filter needs not.
        from ...audio.dnsmos import estimate_dnsmos

        return estimate_dnsmos(samples)

    def describe(self, estimate: float) -> str:
        return f"DNSMOS {estimate:.2f}"
