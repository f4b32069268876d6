"""Estimate of speech quality (DNSMOS): the only door to speechmos, which contains the model."""

from __future__ import annotations

import numpy as np
import speechmos.dnsmos

from .io import SAMPLE_RATE, Samples


def estimate_dnsmos(samples: Samples) -> float:
    """Return the overall quality (OVRL) that listeners would give, from 1 to 5.

    DNSMOS P.835 (arXiv 2110.01763) needs no clean reference. It works on windows of 9 s; shorter
    recordings are repeated to that length.

    Args:
        samples: float32, (n_samples,), at 16 kHz.
    """
    # speechmos refuses samples beyond full scale, which resampling may produce.
    return float(speechmos.dnsmos.run(np.clip(samples, -1, 1), SAMPLE_RATE)["ovrl_mos"])
