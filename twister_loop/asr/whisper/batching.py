"""Batches of clips with the same context within a window of utterances, processed in parallel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple, TypeVar

import torch

from ...audio.io import Samples
from ...core.errors import AudioError
from ...core.types import Seconds, Utterance
from .model import WhisperProcessing, load_clip
from .model_folder import WINDOW_LENGTH

T = TypeVar("T")

MIN_BATCHES = 4
"""Least number of batches for a few clips, so that several cores have work. It does not depend on
the machine: the last digits of results depend on the batches."""
CONTEXT_STEP: Seconds = 2.5
"""Contexts are multiples of this. A clip's context depends on nothing but its own length, so its
text does not depend on the clips that share its batch."""


class ClipBatch(NamedTuple):
    """Clips that are processed together, all in contexts of one length."""

    context: Seconds
    """Audio that the encoder gets of every clip: the clip, and silence after it."""
    indices: list[int]
    """Indices of the clips in their window."""


def clip_context(duration: Seconds, margin: Seconds) -> Seconds:
    """Return the length of a clip's context: clip and margin, rounded up, at most 30 s.

    >>> clip_context(duration=3.1, margin=5.0)
    10.0
    """
    steps = math.ceil((duration + margin) / CONTEXT_STEP)
    return min(steps * CONTEXT_STEP, WINDOW_LENGTH)


def describe_margin(margin: Seconds) -> str:
    """Describe the context of clips, for scores that only the same decoding may be compared with.

    >>> describe_margin(5.0)
    'margin 5 s, contexts in steps of 2.5 s'
    """
    description = f"margin {margin:g} s"
    if margin >= WINDOW_LENGTH:
        return description
    return f"{description}, contexts in steps of {CONTEXT_STEP:g} s"


def answer_unprocessable(
    whisper: WhisperProcessing, window: Sequence[Utterance]
) -> dict[int, Utterance]:
    """Return, by index in the window, the utterances that need no decoding.

    They are marked to be skipped, or in a language that the model does not have, which becomes
    their `error`.
    """
    answers = {}
    for index, utterance in enumerate(window):
        if utterance.should_skip:
            answers[index] = utterance
        elif reason := whisper.explain_unsupported(utterance):
            answers[index] = replace(utterance, error=reason)
    return answers


def batch_by_context(
    window: Sequence[Utterance],
    indices: Iterable[int],
    margin: Seconds,
    batch_size: int,
    max_seconds: Seconds = math.inf,
) -> list[ClipBatch]:
    """Group indices of a window into batches with one context each, the longest clips first.

    A batch has at most `batch_size` clips, and contexts of at most `max_seconds` together if it has
    more than one.

    >>> clips = [Utterance(id=str(n), duration=n) for n in range(1, 9)]
    >>> for context, indices in batch_by_context(clips, range(8), margin=1.0, batch_size=8):
    ...     print(context, indices)
    10.0 [7, 6]
    7.5 [5, 4]
    5.0 [3, 2]
    5.0 [1]
    2.5 [0]
    """
    # Longest first: short batches at the end keep all cores busy, and if the longest does not fit
    # into memory, that shows at once. Clips of similar length end their texts together.
    by_length = sorted(indices, key=lambda index: (-window[index].duration, index))
    batch_size = min(batch_size, math.ceil(len(by_length) / MIN_BATCHES))
    batches = []
    for context, group in groupby(
        by_length, key=lambda index: clip_context(window[index].duration, margin)
    ):
        members = list(group)
        size = max(1, int(min(batch_size, max_seconds / context)))
        # Evenly: nine clips take as long in batches of 5 and 4 as of 8 and 1 on one core, and less
        # on two.
        size = math.ceil(len(members) / math.ceil(len(members) / size))
        batches += [
            ClipBatch(context, members[first : first + size])
            for first in range(0, len(members), size)
        ]
    return batches


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
    whisper: WhisperProcessing, process: Callable[[ClipBatch], T], batches: Sequence[ClipBatch]
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
