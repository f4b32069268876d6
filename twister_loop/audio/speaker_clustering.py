"""Telling speakers apart by the embeddings of their speech: the only door to scikit-learn.

Agglomerative clustering by cosine distance, within each recording first and then over recordings.
Of a group only the sum of its embeddings is kept, from which its mean distance to another follows
exactly, so that no matrix is larger than `BLOCK` by the number of speakers.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering

BLOCK = 2048
"""Groups that are clustered at once."""

Sums = NDArray[np.float64]
"""(groups, 256): of each the sum of its embeddings."""
Counts = NDArray[np.int64]
"""(groups,): of how many."""
Numbers = NDArray[np.int64]
"""(rows,): of the speaker or group that each belongs to, from 0."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class DistanceLimits:
    """Cosine distances under which two groups are of one speaker; either is enough."""

    mean: float
    """Of their utterances, pair by pair, on average."""
    of_means: float
    """Of their mean embeddings: of many utterances these hold the voice alone, and what each
    happened to say has been averaged away, however short they were."""


class OnlineClustering:
    """The speakers that were met so far. What came first decides, so the order must be the same."""

    def __init__(self, limits: DistanceLimits) -> None:
        self.limits = limits
        self.sums: Sums = np.empty((0, 0))
        self.counts: Counts = np.empty(0, np.int64)

    def assign(self, sums: Sums, counts: Counts | None = None) -> Numbers:
        """The speaker of each of these groups: the nearest that is near enough, or a new one."""
        counts = np.ones(len(sums), np.int64) if counts is None else counts
        met = [
            self._met(sums[at : at + BLOCK], counts[at : at + BLOCK])
            for at in range(0, len(sums), BLOCK)
        ]
        return np.concatenate(met) if met else np.empty(0, np.int64)

    def merge(self) -> Numbers:
        """Which speakers turned out to be one: the new number of each, without gaps."""
        if len(self.sums) > BLOCK:  # too many for a matrix; those met apart stay apart
            return np.arange(len(self.sums))
        merged = _grouped(self.sums, self.counts, self.limits)
        self.sums, self.counts = _together(merged, self.sums, self.counts)
        return merged

    def find_nearest(self, embeddings: Sums) -> Numbers:
        """The nearest of the speakers, however far."""
        return np.asarray(_distances(embeddings, _units(self.sums)).argmin(axis=1))

    def _met(self, sums: Sums, counts: Counts) -> Numbers:
        if not len(self.sums):
            numbers = _grouped(sums, counts, self.limits)
            self.sums, self.counts = _together(numbers, sums, counts)
            return numbers
        apart = _distances(_units(sums), _units(self.sums)) / self.limits.of_means
        means = sums / counts[:, None], self.sums / self.counts[:, None]
        apart = np.minimum(apart, _distances(*means) / self.limits.mean)
        numbers = np.where(apart.min(axis=1) < 1, apart.argmin(axis=1), -1)
        new = numbers < 0
        if new.any():
            numbers[new] = len(self.sums) + _grouped(sums[new], counts[new], self.limits)
        self.sums, self.counts = _together(
            np.concatenate([np.arange(len(self.sums)), numbers]),
            np.concatenate([self.sums, sums]),
            np.concatenate([self.counts, counts]),
        )
        return numbers


def cluster_speakers(recordings: Iterable[tuple[Sums, Mask]], limits: DistanceLimits) -> Numbers:
    """The speaker of every utterance, -1 where that cannot be told.

    `recordings` are the embeddings, (utterances, 256), of one recording after the other, and
    which of them decide, (utterances,). The others are whoever of their recording is nearest.
    """
    everybody = OnlineClustering(limits)
    group_of = array("q")  # of every utterance
    speaker_of = list[Numbers]()  # of every group
    waiting, count, known = list[OnlineClustering](), 0, 0
    for embeddings, decide in recordings:
        within = OnlineClustering(limits)
        numbers = np.full(len(embeddings), -1)
        if decide.any():
            met = within.assign(embeddings[decide])
            numbers[decide] = within.merge()[met]
            numbers[~decide] = within.find_nearest(embeddings[~decide])
            numbers += known + count
            waiting.append(within)
            count += len(within.sums)
        group_of.extend(numbers.tolist())
        if count >= BLOCK:
            speaker_of.append(_introduced(waiting, everybody))
            waiting, count, known = [], 0, known + count
    if waiting:
        speaker_of.append(_introduced(waiting, everybody))
    if not speaker_of:
        return np.full(len(group_of), -1)
    groups = np.asarray(group_of)
    speakers = everybody.merge()[np.concatenate(speaker_of)]
    return np.where(groups < 0, -1, speakers[groups])


def _introduced(recordings: list[OnlineClustering], everybody: OnlineClustering) -> Numbers:
    """Who those of some recordings are among everybody."""
    counts = np.concatenate([each.counts for each in recordings])
    return everybody.assign(np.concatenate([each.sums for each in recordings]), counts)


def _grouped(sums: Sums, counts: Counts, limits: DistanceLimits) -> Numbers:
    """Numbers from 0, in the order in which speakers come first."""
    means = sums / counts[:, None]
    numbers = _clustered(_distances(means, means), limits.mean)
    while True:
        merged, _ = _together(numbers, sums, counts)
        again = _clustered(_distances(_units(merged), _units(merged)), limits.of_means)
        if len(merged) == again.max() + 1:
            break
        numbers = again[numbers]
    _, first, numbers = np.unique(numbers, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[numbers])


def _clustered(distances: NDArray[np.float64], limit: float) -> Numbers:
    if len(distances) < 2:
        return np.zeros(len(distances), np.int64)
    np.fill_diagonal(distances, 0.0)
    clustering = AgglomerativeClustering(
        n_clusters=None, distance_threshold=limit, metric="precomputed", linkage="average"
    )
    return np.asarray(clustering.fit_predict(distances), np.int64)


def _distances(some: Sums, others: Sums) -> NDArray[np.float64]:
    """(some, others): one less the products.

    Rounded, for the last digits are not the same on every machine.
    """
    alike = some.astype(np.float32) @ others.astype(np.float32).T
    return np.asarray(np.round(1 - alike, 4).clip(0), np.float64)


def _units(sums: Sums) -> Sums:
    return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True))


def _together(numbers: Numbers, sums: Sums, counts: Counts) -> tuple[Sums, Counts]:
    size = int(numbers.max()) + 1
    summed = np.zeros((size, sums.shape[1]))
    np.add.at(summed, numbers, sums)
    return summed, np.bincount(numbers, counts, minlength=size).astype(np.int64)
