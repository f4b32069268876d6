"""A window of utterances as batches of about one length, worked on side by side."""

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
"""Batches that even a few clips are cut into, so that several cores have work; it is the same on
every machine, since results depend on the batches in their last digits."""


def answer_unprocessable(
    whisper: WhisperProcessing, window: Sequence[Utterance]
) -> dict[int, Utterance]:
    """By place, those that need not be tried: they failed before, or in an unknown language."""
    answers = {}
    for place, utterance in enumerate(window):
        if utterance.should_skip:
            answers[place] = utterance
        elif (
            utterance.lang
            and whisper.language_tokens
            and utterance.lang not in whisper.language_tokens
        ):
            error = f"Whisper knows no language {utterance.lang!r}"
            answers[place] = replace(utterance, error=error)
    return answers


def batch_by_length(
    window: Sequence[Utterance], places: Iterable[int], batch: int
) -> list[list[int]]:
    """Cut places of a window into batches of clips of about the same length, longest first."""
    ordered = sorted(places, key=lambda place: (-window[place].duration, place))
    batch = min(batch, math.ceil(len(ordered) / MIN_BATCHES))
    return [ordered[first : first + batch] for first in range(0, len(ordered), batch or 1)]


def load_clips(
    window: Sequence[Utterance], places: Sequence[int], answers: dict[int, Utterance]
) -> dict[int, Samples]:
    """The speech of a batch by place; what cannot be heard is answered with an `error`."""
    clips = {}
    for place in places:
        try:
            clips[place] = load_clip(window[place])
        except AudioError as error:
            answers[place] = replace(window[place], error=str(error))
    return clips


def map_batches(
    whisper: WhisperProcessing, work: Callable[[list[int]], T], groups: Sequence[list[int]]
) -> Iterator[T]:
    """Do the work for every batch, several at once, and give the results in order.

    A decoder's steps are small: shared by all cores they wait for each other more than they
    compute (ten times longer where the machine is busy), so each batch has a core to itself.
    """
    cores = torch.get_num_threads()
    workers = cores if whisper.on_cpu else 1
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(work, groups)
    finally:
        torch.set_num_threads(cores)
