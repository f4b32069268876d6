"""Batches of clips of similar length, and their loading in the background."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import numpy as np

from ...core.types import Utterance

BUCKET = 32
"""Batches whose clips are sorted by length together: enough that the clips of a batch are alike
and need little padding, few enough that the batches differ between epochs."""


class TrainingExample(Protocol):
    """An utterance with its labels."""

    @property
    def utterance(self) -> Utterance: ...


E = TypeVar("E", bound=TrainingExample)
S = TypeVar("S")
L = TypeVar("L")


def steps_per_epoch(examples: int, batch: int, accumulate: int = 1) -> int:
    """Return the number of updates in an epoch.

    >>> steps_per_epoch(examples=10, batch=4, accumulate=2)
    2
    """
    return math.ceil(math.ceil(examples / batch) / accumulate)


def make_length_batches(
    examples: Sequence[E], batch: int, rng: np.random.Generator
) -> list[list[E]]:
    """Shuffle, sort by length within buckets, cut into batches, and shuffle the batches."""
    shuffled = [examples[index] for index in rng.permutation(len(examples))]
    # A bucket is some batches long, so neighbors of like length still vary between epochs.
    batches = []
    for first in range(0, len(shuffled), batch * BUCKET):
        bucket = shuffled[first : first + batch * BUCKET]
        bucket.sort(key=lambda example: example.utterance.duration)
        batches += [bucket[start : start + batch] for start in range(0, len(bucket), batch)]
    # Else every epoch would go from short clips to long ones, bucket by bucket.
    return [batches[index] for index in rng.permutation(len(batches))]


def prefetch(steps: Iterable[S], load: Callable[[S], L]) -> Iterator[L]:
    """Load every step in a thread while the step before it is computed."""
    # One step ahead: more would only hold memory, since loading is faster than a step.
    with ThreadPoolExecutor(max_workers=1) as reader:
        pending = None
        for step in steps:
            following = reader.submit(load, step)
            if pending:
                yield pending.result()
            pending = following
        if pending:
            yield pending.result()
