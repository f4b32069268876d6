"""Adaptive SpecAugment: random bands and stretches of the features are masked in training.

Park et al., arXiv 1912.05533: two masks over frequency; over time as many, and as long, as the
clip allows. As in transformers a mask is 0, which is about the mean of Whisper's features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

FREQUENCY_MASKS, FREQUENCY_MASK_SHARE = 2, 27 / 80
"""Masks over frequency for each clip, and the largest share of all bands that one hides."""
TIME_MASKS_PER_FRAME, MAX_TIME_MASKS, TIME_MASK_SHARE = 0.04, 20, 0.05
"""Masks over time for each frame of a clip, their largest number, and the largest share of the
clip that one hides."""


def mask_features(
    features: torch.Tensor, frames: Sequence[int], rng: np.random.Generator
) -> torch.Tensor:
    """Return a copy of the features with random masks, drawn anew for every clip.

    Args:
        features: (batch, bands, frames); unchanged.
        frames: the length of every clip, without the padding behind it.
        rng: the generator; the same seed gives the same masks.
    """
    # A copy: the features of a batch may be used again without masks.
    augmented = features.clone()
    bands = features.shape[1]
    for clip, length in zip(augmented, frames, strict=True):
        for _ in range(FREQUENCY_MASKS):
            first, size = _draw_mask(bands, round(FREQUENCY_MASK_SHARE * bands), rng)
            clip[first : first + size] = 0
        # Time masks only cover speech: in the padding they would be without effect.
        for _ in range(min(MAX_TIME_MASKS, int(TIME_MASKS_PER_FRAME * length))):
            first, size = _draw_mask(length, int(TIME_MASK_SHARE * length), rng)
            clip[:, first : first + size] = 0
    return augmented


def _draw_mask(length: int, max_size: int, rng: np.random.Generator) -> tuple[int, int]:
    """Return the first position of a random mask, and its size from 0 to `max_size`."""
    # The size first: the possible positions depend on it.
    size = int(rng.integers(max_size + 1))
    return int(rng.integers(length - size + 1)), size
