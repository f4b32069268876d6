"""Telling speakers apart by the embeddings of their speech: the only door to scikit-learn.

Agglomerative clustering by mean cosine distance, within each recording first and then over
recordings. Of a group only the sum of its embeddings is kept, from which its mean distance to
another follows exactly, so that no matrix is larger than `BLOCK` by the number of speakers.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

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


class Groups:
    """The speakers that were met so far. What came first decides, so the order must be the same."""

    def __init__(self, apart: float) -> None:
        self.apart = apart
        """Mean cosine distance from which on two groups are two speakers."""
        self.sums: Sums = np.empty((0, 0))
        self.counts: Counts = np.empty(0, np.int64)

    def meet(self, sums: Sums, counts: Counts | None = None) -> Numbers:
        """The speaker of each of these groups: the nearest that is near enough, or a new one."""
        counts = np.ones(len(sums), np.int64) if counts is None else counts
        met = [
            self._met(sums[at : at + BLOCK], counts[at : at + BLOCK])
            for at in range(0, len(sums), BLOCK)
        ]
        return np.concatenate(met) if met else np.empty(0, np.int64)

    def settled(self) -> Numbers:
        """Which speakers turned out to be one: the new number of each, without gaps."""
        if len(self.sums) > BLOCK:  # too many for a matrix; those met apart stay apart
            return np.arange(len(self.sums))
        merged = self._grouped(self.sums, self.counts)
        self.sums, self.counts = _together(merged, self.sums, self.counts)
        return merged

    def nearest(self, embeddings: Sums) -> Numbers:
        """The nearest of the speakers, however far."""
        distances = _distances(embeddings, self.sums / self.counts[:, None])
        return np.asarray(distances.argmin(axis=1))

    def _met(self, sums: Sums, counts: Counts) -> Numbers:
        numbers = np.full(len(sums), -1)
        if len(self.sums):
            means = self.sums / self.counts[:, None]
            distances = _distances(sums / counts[:, None], means)
            near = distances.min(axis=1) < self.apart
            numbers[near] = distances.argmin(axis=1)[near]
        new = numbers < 0
        if new.any():
            numbers[new] = len(self.sums) + self._grouped(sums[new], counts[new])
        grown = max(len(self.sums), int(numbers.max()) + 1)
        known = np.arange(len(self.sums))
        self.sums, self.counts = _together(
            np.concatenate([known, numbers]),
            np.concatenate([self.sums, sums]) if len(self.sums) else sums,
            np.concatenate([self.counts, counts]),
            grown,
        )
        return numbers

    def _grouped(self, sums: Sums, counts: Counts) -> Numbers:
        """Numbers from 0, in the order in which speakers come first."""
        if len(sums) < 2:
            return np.zeros(len(sums), np.int64)
        means = sums / counts[:, None]
        distances = _distances(means, means)
        np.fill_diagonal(distances, 0.0)
        clustering = AgglomerativeClustering(
            n_clusters=None,
            distance_threshold=self.apart,
            metric="precomputed",
            linkage="average",
        )
        _, first, numbers = np.unique(
            clustering.fit_predict(distances), return_index=True, return_inverse=True
        )
        return np.asarray(np.argsort(np.argsort(first))[numbers])


def told_apart(recordings: Iterable[tuple[Sums, Mask]], apart: float) -> Numbers:
    """The speaker of every utterance, -1 where that cannot be told.

    `recordings` are the embeddings, (utterances, 256), of one recording after the other, and
    which of them decide, (utterances,). The others are whoever of their recording is nearest.
    """
    everybody = Groups(apart)
    group_of = array("q")  # of every utterance
    speaker_of = list[Numbers]()  # of every group
    waiting, count, known = list[Groups](), 0, 0
    for embeddings, decide in recordings:
        within = Groups(apart)
        numbers = np.full(len(embeddings), -1)
        if decide.any():
            met = within.meet(embeddings[decide])
            numbers[decide] = within.settled()[met]
            numbers[~decide] = within.nearest(embeddings[~decide])
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
    speakers = everybody.settled()[np.concatenate(speaker_of)]
    return np.where(groups < 0, -1, speakers[groups])


def _introduced(recordings: list[Groups], everybody: Groups) -> Numbers:
    """Who those of some recordings are among everybody."""
    counts = np.concatenate([each.counts for each in recordings])
    return everybody.meet(np.concatenate([each.sums for each in recordings]), counts)


def _distances(some: Sums, others: Sums) -> NDArray[np.float64]:
    """(some, others): mean cosine distance of two groups.

    Rounded, for the last digits are not the same on every machine.
    """
    alike = some.astype(np.float32) @ others.astype(np.float32).T
    return np.asarray(np.round(1 - alike, 4).clip(0), np.float64)


def _together(
    numbers: Numbers, sums: Sums, counts: Counts, groups: int | None = None
) -> tuple[Sums, Counts]:
    size = int(numbers.max(initial=-1)) + 1 if groups is None else groups
    summed = np.zeros((size, sums.shape[1]))
    np.add.at(summed, numbers, sums)
    return summed, np.bincount(numbers, counts, minlength=size).astype(np.int64)
