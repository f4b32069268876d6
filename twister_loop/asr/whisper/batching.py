"""Batches of clips of similar length within a window of utterances, processed in parallel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import torch

from ...audio.io import Samples
from ...core.errors import AudioError
from ...core.types import Utterance
from .model import WhisperProcessing, load_clip

T = TypeVar("T")

MIN_BATCHES = 4
"""Least number of batches for a few clips, so that several cores have work. It does not depend on
the machine: the last digits of results depend on the batches."""


def answer_unprocessable(
    whisper: WhisperProcessing, window: Sequence[Utterance]
) -> dict[int, Utterance]:
    """Return, by index in the window, the utterances that need no decoding.

    They are marked to be skipped, or too long or in a language that the model does not have, which
    becomes their `error`.
    """
    answers = {}
    for index, utterance in enumerate(window):
        if utterance.should_skip:
            answers[index] = utterance
        elif reason := whisper.explain_unsupported(utterance):
            answers[index] = replace(utterance, error=reason)
    return answers


def batch_by_length(
    window: Sequence[Utterance], indices: Iterable[int], batch_size: int
) -> list[list[int]]:
    """Group indices of a window into batches of similar length, the longest clips first.

    >>> clips = [Utterance(id=str(n), duration=n) for n in range(8)]
    >>> batch_by_length(clips, range(8), batch_size=8)
    [[7, 6], [5, 4], [3, 2], [1, 0]]
    """
    # Longest first: short batches at the end keep all cores busy, and if the longest does not fit
    # into memory, that shows at once.
    by_length = sorted(indices, key=lambda index: (-window[index].duration, index))
    batch_size = min(batch_size, math.ceil(len(by_length) / MIN_BATCHES))
    return [
        by_length[first : first + batch_size] for first in range(0, len(by_length), batch_size or 1)
    ]


def load_clips(
    window: Sequence[Utterance], indices: Sequence[int], answers: dict[int, Utterance]
) -> dict[int, Samples]:
    """Load the clips of a batch.

    Args:
        window: all utterances.
        indices: those of the batch.
        answers: receives a copy with `error` for each clip that cannot be loaded.

    Returns:
        Samples by index, float32 (samples,) at 16 kHz.
    """
    clips = {}
    for index in indices:
        try:
            clips[index] = load_clip(window[index])
        except AudioError as error:
            answers[index] = replace(window[index], error=str(error))
    return clips


def map_batches(
    whisper: WhisperProcessing, process: Callable[[list[int]], T], batches: Sequence[list[int]]
) -> Iterator[T]:
    """Process batches in parallel, and yield the results in the order of the batches."""
    # One core a batch rather than all cores for one: the operations of a decoding step are small,
    # and threads that share them wait for each other more than they compute (ten times longer on a
    # busy machine). A GPU takes one batch at a time.
    cores = torch.get_num_threads()
    workers = cores if whisper.on_cpu else 1
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(process, batches)
    finally:
        torch.set_num_threads(cores)  # the setting is the process's, not the thread's
