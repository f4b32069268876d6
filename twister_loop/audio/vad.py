"""Voice activity detection for cutting long recordings at pauses: the only door to silero-vad.

Import this module only when a long recording has to be cut: it imports torch.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import torch

from ..core.types import Seconds, Utterance
from . import io as audio
from .io import SAMPLE_RATE, Samples

threads = torch.get_num_threads()
import silero_vad  # noqa: E402

# Importing silero-vad sets the number of threads of the whole process to one.
torch.set_num_threads(threads)

PADDING_MS = 100
"""Milliseconds of audio that are kept before and after speech."""
BLOCK_SECONDS: Seconds = 600.0
"""Length of a block, in which long recordings are read: 38 MB of samples in memory."""
BLOCK_END_SECONDS: Seconds = 1.0
"""Distance from the end of a block within which speech counts as cut off by it."""

_of_thread = threading.local()


def load_model() -> Any:
    """Return the model, loaded once a thread: loading takes longer than a clip."""
    # It holds the state of the clip that it is reading, so threads cannot share it.
    if not hasattr(_of_thread, "model"):
        _of_thread.model = silero_vad.load_silero_vad()
    return _of_thread.model


def find_segments(recording: Utterance, limit: Seconds) -> Iterator[tuple[Seconds, Seconds]]:
    """Yield (offset, duration) of the speech in a recording, reading it block by block.

    Args:
        recording: an utterance of any length; offsets count from its start.
        limit: the longest segment, more than 1 s.

    Raises:
        AudioError: the audio cannot be read.
    """
    begin = 0.0
    # What is left may be an error of the duration: there need not be a sample.
    while recording.duration - begin > audio.MAX_DURATION_ERROR:
        length = min(BLOCK_SECONDS, recording.duration - begin)
        block = read_block(recording, begin, length)
        segments = list(split_at_pauses(block, limit))
        next_begin = begin + length
        is_last = next_begin >= recording.duration
        if not is_last and segments and sum(segments[-1]) > length - BLOCK_END_SECONDS:
            # The block may end within a sentence: its last segment is found again, whole, in a
            # block that begins with it.
            next_begin = begin + segments.pop()[0]
        yield from ((begin + offset, duration) for offset, duration in segments)
        begin = next_begin


def split_at_pauses(samples: Samples, limit: Seconds) -> Iterator[tuple[Seconds, Seconds]]:
    """Yield (offset, duration) of segments with speech, none longer than `limit`.

    Neighboring speech stays in one segment while it fits. Speech without any pause is cut where
    the limit is reached.

    Args:
        samples: float32, (n_samples,), at 16 kHz.
        limit: the longest segment, more than 1 s.
    """
    segment_start: float | None = None
    segment_end = 0.0
    for start, end in find_regions(samples, limit):
        if segment_start is not None and end - segment_start > limit:
            yield segment_start, segment_end - segment_start
            segment_start = None
        segment_start = start if segment_start is None else segment_start
        segment_end = end
    if segment_start is not None:
        yield segment_start, segment_end - segment_start


def find_regions(samples: Samples, limit: Seconds) -> list[tuple[Seconds, Seconds]]:
    """Return (start, end) of speech without a pause, padded, each shorter than `limit`.

    Args:
        samples: float32, (n_samples,), at 16 kHz.
        limit: the longest region, more than 1 s.
    """
    regions = silero_vad.get_speech_timestamps(
        torch.from_numpy(samples),
        load_model(),
        sampling_rate=SAMPLE_RATE,
        # A second less, so that a region still fits with its padding.
        max_speech_duration_s=limit - 1,
        speech_pad_ms=PADDING_MS,
    )
    return [(region["start"] / SAMPLE_RATE, region["end"] / SAMPLE_RATE) for region in regions]


def find_speech_bounds(recording: Utterance) -> tuple[Seconds, Seconds] | None:
    """Return where speech begins first and ends last, from the start of the recording.

    Args:
        recording: an utterance of any length.

    Returns:
        The two times, without padding; None if there is no speech.

    Raises:
        AudioError: the audio cannot be read.
    """
    times: list[Seconds] = []
    begin = 0.0
    while recording.duration - begin > audio.MAX_DURATION_ERROR:
        length = min(BLOCK_SECONDS, recording.duration - begin)
        block = read_block(recording, begin, length)
        times += [begin + time for time in find_bounds(block) or ()]
        begin += length
    return (times[0], times[-1]) if times else None


def find_bounds(samples: Samples) -> tuple[Seconds, Seconds] | None:
    """Return where speech begins first and ends last, without padding; None without speech.

    Args:
        samples: float32, (n_samples,), at 16 kHz.
    """
    regions = silero_vad.get_speech_timestamps(
        torch.from_numpy(samples), load_model(), sampling_rate=SAMPLE_RATE, speech_pad_ms=0
    )
    if not regions:
        return None
    return regions[0]["start"] / SAMPLE_RATE, regions[-1]["end"] / SAMPLE_RATE


def read_block(recording: Utterance, begin: Seconds, length: Seconds) -> Samples:
    """Return the samples from `begin` on, counted from the start of the recording."""
    return audio.read(
        recording.audio_filepath,
        offset=recording.offset + begin,
        duration=length,
        channel=recording.channel,
    )
