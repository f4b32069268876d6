"""Speaker clustering by embeddings: the only door to scikit-learn.

Agglomerative clustering by cosine distance, first within each recording and then over recordings.
Of a group only the sum of its embeddings is kept. The mean distance between the embeddings of two
groups follows exactly from their sums, so no distance matrix is larger than `BLOCK` times the
number of speakers.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering

BLOCK = 2048
"""Number of groups that are clustered at once; the matrix of their distances takes 32 MiB."""

Sums = NDArray[np.float64]
"""Sums of the embeddings of each group, (groups, 256)."""
Counts = NDArray[np.int64]
"""Number of embeddings of each group, (groups,)."""
Labels = NDArray[np.int64]
"""Number of the speaker or group that each row belongs to, from 0, (rows,)."""
Mask = NDArray[np.bool_]
"""True for some of the rows, (rows,)."""


@dataclass(frozen=True)
class DistanceLimits:
    """Cosine distances below which two groups are one speaker; either of the two is enough."""

    mean_distance: float
    """Limit for the mean of the distances between their utterances, pair by pair."""
    distance_of_means: float
    """Limit for the distance between their mean embeddings. The mean of many utterances holds the
    voice alone: the words are averaged out, however short the utterances are."""


class OnlineClustering:
    """Speakers that were found so far. The result depends on the order of the input."""

    def __init__(self, limits: DistanceLimits) -> None:
        self.limits = limits
        self.sums: Sums = np.empty((0, 0))
        self.counts: Counts = np.empty(0, np.int64)

    def assign(self, sums: Sums, counts: Counts | None = None) -> Labels:
        """Return the speaker of each group: the nearest within the limits, or a new one.

        Args:
            sums: the sums of the embeddings of each group, (groups, 256).
            counts: the number of embeddings of each group, (groups,); None is 1 for each.
        """
        counts = np.ones(len(sums), np.int64) if counts is None else counts
        labels = [
            self._assign_block(sums[start : start + BLOCK], counts[start : start + BLOCK])
            for start in range(0, len(sums), BLOCK)
        ]
        return np.concatenate(labels) if labels else np.empty(0, np.int64)

    def merge(self) -> Labels:
        """Merge speakers that turned out to be one; return the new number of each, without gaps."""
        if len(self.sums) > BLOCK:
            # Too many for a distance matrix in memory: they stay as they are.
            return np.arange(len(self.sums))
        labels = _cluster_groups(self.sums, self.counts, self.limits)
        self.sums, self.counts = _add_up(labels, self.sums, self.counts)
        return labels

    def find_nearest(self, embeddings: Sums) -> Labels:
        """Return the nearest speaker of each embedding, without a limit."""
        return np.asarray(_cosine_distances(embeddings, _normalize(self.sums)).argmin(axis=1))

    def _assign_block(self, sums: Sums, counts: Counts) -> Labels:
        # The first block: there are no speakers to compare it with.
        if not len(self.sums):
            labels = _cluster_groups(sums, counts, self.limits)
            self.sums, self.counts = _add_up(labels, sums, counts)
            return labels
        # Both distances over their limit: below 1 a group is that speaker.
        of_means = _cosine_distances(_normalize(sums), _normalize(self.sums))
        of_pairs = _cosine_distances(sums / counts[:, None], self.sums / self.counts[:, None])
        ratios = np.minimum(
            of_means / self.limits.distance_of_means, of_pairs / self.limits.mean_distance
        )  # (groups, speakers)
        labels = np.where(ratios.min(axis=1) < 1, ratios.argmin(axis=1), -1)
        is_new = labels < 0
        if is_new.any():
            new_labels = _cluster_groups(sums[is_new], counts[is_new], self.limits)
            labels[is_new] = len(self.sums) + new_labels
        self.sums, self.counts = _add_up(
            np.concatenate([np.arange(len(self.sums)), labels]),
            np.concatenate([self.sums, sums]),
            np.concatenate([self.counts, counts]),
        )
        return labels


def cluster_speakers(
    recordings: Iterable[tuple[Sums, Mask, Labels | None]], limits: DistanceLimits
) -> Labels:
    """Return the speaker of every utterance, -1 where it cannot be decided.

    Args:
        recordings: for each recording its embeddings, (utterances, 256), a mask (utterances,) of
            those that are reliable, and their voices within the recording, (utterances,), if they
            are known. Without voices an unreliable utterance gets the nearest speaker of its
            recording, and -1 if the recording has no reliable ones.
        limits: the distances below which groups are one speaker.

    Returns:
        Numbers from 0 in the order in which speakers first occur, (all utterances,).
    """
    speakers = OnlineClustering(limits)
    group_of_utterance = array("q")  # 8 bytes each: the pool may have millions
    speaker_of_group = list[Labels]()
    # Recordings are compared in blocks: `pending` ones have `pending_groups` groups, and
    # `done_groups` groups are before them.
    pending, pending_groups, done_groups = list[OnlineClustering](), 0, 0
    for embeddings, is_reliable, voices in recordings:
        # First within the recording: there speakers are few, and so are the chances of confusion.
        recording = OnlineClustering(limits)
        groups = np.full(len(embeddings), -1)
        if voices is not None:
            groups, recording.sums, recording.counts = _group_voices(
                embeddings, is_reliable, voices
            )
        elif is_reliable.any():
            assigned = recording.assign(embeddings[is_reliable])
            groups[is_reliable] = recording.merge()[assigned]
            groups[~is_reliable] = recording.find_nearest(embeddings[~is_reliable])
        if len(recording.sums):
            groups += done_groups + pending_groups
            pending.append(recording)
            pending_groups += len(recording.sums)
        group_of_utterance.extend(groups.tolist())
        if pending_groups >= BLOCK:
            speaker_of_group.append(_assign_recordings(pending, speakers))
            pending, pending_groups, done_groups = [], 0, done_groups + pending_groups
    if pending:
        speaker_of_group.append(_assign_recordings(pending, speakers))
    if not speaker_of_group:
        return np.full(len(group_of_utterance), -1)
    all_groups = np.asarray(group_of_utterance)
    labels = speakers.merge()[np.concatenate(speaker_of_group)]
    return np.where(all_groups < 0, -1, labels[all_groups])


def _group_voices(
    embeddings: Sums, is_reliable: Mask, voices: Labels
) -> tuple[Labels, Sums, Counts]:
    """Return the group of each utterance of a recording, and the sums and counts of the groups."""
    _, groups = np.unique(voices, return_inverse=True)
    # A voice that only says little is heard in all that it says.
    is_heard = np.bincount(groups, is_reliable) > 0
    is_used = is_reliable | ~is_heard[groups]
    return groups, *_add_up(groups[is_used], embeddings[is_used], np.ones(is_used.sum(), np.int64))


def _assign_recordings(recordings: list[OnlineClustering], speakers: OnlineClustering) -> Labels:
    """Return the speaker, among all recordings, of every group of some recordings."""
    counts = np.concatenate([recording.counts for recording in recordings])
    return speakers.assign(np.concatenate([recording.sums for recording in recordings]), counts)


def _cluster_groups(sums: Sums, counts: Counts, limits: DistanceLimits) -> Labels:
    """Return the cluster of each group, numbered in the order in which clusters first occur."""
    means = sums / counts[:, None]
    labels = _cluster(_cosine_distances(means, means), limits.mean_distance)
    # Means of larger clusters are more exact, so clusters are merged until none are near enough.
    while True:
        merged, _ = _add_up(labels, sums, counts)
        directions = _normalize(merged)
        merged_labels = _cluster(
            _cosine_distances(directions, directions), limits.distance_of_means
        )
        if len(merged) == merged_labels.max() + 1:
            break
        labels = merged_labels[labels]
    # scikit-learn numbers clusters by its tree.
    _, first_rows, labels = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first_rows))
    return np.asarray(rank[labels])


def _cluster(distances: NDArray[np.float64], limit: float) -> Labels:
    """Return the cluster of each row by average linkage, from (rows, rows) distances."""
    # scikit-learn refuses fewer than two rows.
    if len(distances) < 2:
        return np.zeros(len(distances), np.int64)
    # A mean of unit vectors is shorter than 1, so its distance to itself would not be 0.
    np.fill_diagonal(distances, 0.0)
    clustering = AgglomerativeClustering(
        n_clusters=None, distance_threshold=limit, metric="precomputed", linkage="average"
    )
    return np.asarray(clustering.fit_predict(distances), np.int64)


def _cosine_distances(rows: Sums, columns: Sums) -> NDArray[np.float64]:
    """Return 1 minus the dot products, (rows, columns); of unit vectors the cosine distance."""
    products = rows.astype(np.float32) @ columns.astype(np.float32).T
    # Rounded: the last digits of a matrix product differ between machines.
    return np.asarray(np.round(1 - products, 4).clip(0), np.float64)


def _normalize(sums: Sums) -> Sums:
    return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True))


def _add_up(labels: Labels, sums: Sums, counts: Counts) -> tuple[Sums, Counts]:
    """Return sums (clusters, 256) and counts (clusters,) of the groups of each cluster."""
    size = int(labels.max()) + 1
    # `totals[labels] += sums` would add only the last of several rows with one label.
    totals = np.zeros((size, sums.shape[1]))
    np.add.at(totals, labels, sums)
    return totals, np.bincount(labels, counts, minlength=size).astype(np.int64)
