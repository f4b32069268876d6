"""Sample rates: the only door to soxr."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import soxr
from numpy.typing import NDArray

from ..core.types import Hertz

SAMPLE_RATE = 16_000
"""Sample rate in hertz, everywhere in this library."""

Samples = NDArray[np.float32]
"""Samples of shape (n_samples,), in [-1, 1]; a block of a file is (n_samples, channels)."""


def resample(samples: Samples, from_rate: Hertz, to_rate: Hertz = SAMPLE_RATE) -> Samples:
    """Return mono samples at another sample rate.

    >>> resample(np.zeros(8_000, np.float32), from_rate=8_000).shape
    (16000,)
    """
    if from_rate == to_rate:
        # A channel of a stereo file is every second sample; engines want contiguous memory.
        return np.ascontiguousarray(samples, dtype=np.float32)
    resampled: Samples = soxr.resample(samples, from_rate, to_rate).astype(np.float32)
    return resampled


def resample_blocks(blocks: Iterable[tuple[int, Samples]]) -> Iterator[Samples]:
    """Yield the blocks of a file at 16 kHz, with as many channels as its first block has.

    Args:
        blocks: sample rate and samples, (n_samples, channels), of consecutive blocks. Both may
            change between blocks, as they do in joined files.

    Yields:
        float32, (n_samples, channels), the same as of a resampling in one piece.
    """
    rate, channels, stream = 0, 0, None
    for block_rate, block in blocks:
        channels = channels or block.shape[1]
        if block_rate != rate:
            if stream is not None:
                yield stream.resample_chunk(np.zeros((0, channels), np.float32), last=True)
            rate, stream = block_rate, None
            if rate != SAMPLE_RATE:
                stream = soxr.ResampleStream(rate, SAMPLE_RATE, channels, dtype="float32")
        block = match_channels(block, channels)
        yield block if stream is None else stream.resample_chunk(block)
    if stream is not None:
        yield stream.resample_chunk(np.zeros((0, channels), np.float32), last=True)


def match_channels(block: Samples, channels: int) -> Samples:
    """Return (n_samples, channels): the block, or copies of the mean of its channels.

    >>> match_channels(np.array([[1.0, 0.0]], np.float32), 1)
    array([[0.5]], dtype=float32)
    """
    if block.shape[1] == channels:
        return block
    mean: Samples = block.mean(axis=1, keepdims=True)
    return np.repeat(mean, channels, axis=1)
