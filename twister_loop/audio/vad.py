"""Cutting long recordings at pauses: the only door to silero-vad, imported only when one is met."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ..core.types import Seconds
from .io import SAMPLE_RATE, Samples

threads = torch.get_num_threads()
import silero_vad  # noqa: E402

torch.set_num_threads(threads)  # silero-vad leaves the whole process with one thread


def split_at_pauses(samples: Samples, limit: Seconds) -> Iterator[tuple[Seconds, Seconds]]:
    """Yield (offset, duration) of stretches of speech, none longer than `limit`.

    Neighboring speech is kept together while it fits; a stretch without any pause is cut hard.
    """
    model = silero_vad.load_silero_vad()
    found = silero_vad.get_speech_timestamps(
        torch.from_numpy(samples),
        model,
        sampling_rate=SAMPLE_RATE,
        max_speech_duration_s=limit - 1,
        speech_pad_ms=100,
    )
    begin: float | None = None
    end = 0.0
    for stretch in found:
        start, stop = stretch["start"] / SAMPLE_RATE, stretch["end"] / SAMPLE_RATE
        if begin is not None and stop - begin > limit:
            yield begin, end - begin
            begin = None
        begin = start if begin is None else begin
        end = stop
    if begin is not None:
        yield begin, end - begin
