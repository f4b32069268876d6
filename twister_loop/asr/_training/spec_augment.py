"""Adaptive SpecAugment: bands and stretches of what is heard are hidden, so that none is relied on.

Park et al., arXiv 1912.05533: two masks over frequency, and over time as many, and as long, as the
clip allows. As in transformers a mask is 0, about the mean of Whisper's features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

BANDS, WIDEST = 2, 27 / 80
"""Masks over frequency, and the most that one hides of all bands."""
STRETCHES, MOST, LONGEST = 0.04, 20, 0.05
"""Masks over time for every frame, at most so many, and the most that one hides of a clip."""


def masked(features: torch.Tensor, frames: Sequence[int], rng: np.random.Generator) -> torch.Tensor:
    """Copy (batch, bands, frames) with other masks for every clip; `frames` are their lengths."""
    made = features.clone()
    bands = features.shape[1]
    for clip, length in zip(made, frames, strict=True):
        for _ in range(BANDS):
            first, size = _stretch(bands, round(WIDEST * bands), rng)
            clip[first : first + size] = 0
        for _ in range(min(MOST, int(STRETCHES * length))):
            first, size = _stretch(length, int(LONGEST * length), rng)
            clip[:, first : first + size] = 0
    return made


def _stretch(whole: int, most: int, rng: np.random.Generator) -> tuple[int, int]:
    """Where a mask begins, and how long it is."""
    size = int(rng.integers(most + 1))
    return int(rng.integers(whole - size + 1)), size
