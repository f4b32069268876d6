"""Voice activity detection for cutting long recordings at pauses: the only door to silero-vad.

Import this module only when a long recording has to be cut: it imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ..core.types import Seconds
from .io import SAMPLE_RATE, Samples

threads = torch.get_num_threads()
import silero_vad  # noqa: E402

# Importing silero-vad sets the number of threads of the whole process to one.
torch.set_num_threads(threads)

PADDING_MS = 100
"""Milliseconds of audio that are kept before and after speech."""


def split_at_pauses(samples: Samples, limit: Seconds) -> Iterator[tuple[Seconds, Seconds]]:
    """Yield (offset, duration) of segments with speech, none longer than `limit`.

    Neighboring speech stays in one segment while it fits. Speech without any pause is cut where
    the limit is reached.

    Args:
        samples: float32, (n_samples,), at 16 kHz.
        limit: the longest segment, more than 1 s.
    """
    model = silero_vad.load_silero_vad()
    regions = silero_vad.get_speech_timestamps(
        torch.from_numpy(samples),
        model,
        sampling_rate=SAMPLE_RATE,
        # A second less, so that a region still fits with its padding.
        max_speech_duration_s=limit - 1,
        speech_pad_ms=PADDING_MS,
    )
    segment_start: float | None = None
    segment_end = 0.0
    for region in regions:
        start, end = region["start"] / SAMPLE_RATE, region["end"] / SAMPLE_RATE
        if segment_start is not None and end - segment_start > limit:
            yield segment_start, segment_end - segment_start
            segment_start = None
        segment_start = start if segment_start is None else segment_start
        segment_end = end
    if segment_start is not None:
        yield segment_start, segment_end - segment_start
