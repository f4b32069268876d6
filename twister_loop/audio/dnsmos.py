"""How good speech sounds: the only door to speechmos, whose package brings the model."""

from __future__ import annotations

import numpy as np
import speechmos.dnsmos

from .io import SAMPLE_RATE, Samples


def estimate_dnsmos(samples: Samples) -> float:
    """Overall quality (OVRL) as people would judge it, 1 to 5, estimated without a reference.

    DNSMOS P.835 (arXiv 2110.01763), over windows of 9 s; what is shorter is repeated.
    """
    return float(speechmos.dnsmos.run(np.clip(samples, -1, 1), SAMPLE_RATE)["ovrl_mos"])
