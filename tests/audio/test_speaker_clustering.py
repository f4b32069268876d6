"""Speakers are clustered by embeddings, whatever the number of utterances and recordings."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="an extra")

from twister_loop.audio import speaker_clustering
from twister_loop.audio.speaker_clustering import (
    DistanceLimits,
    Mask,
    OnlineClustering,
    Sums,
    cluster_speakers,
)

LIMITS = DistanceLimits(mean_distance=0.175, distance_of_means=0.1)


def embed_speakers(speakers: Sequence[int], seed: int = 0, noise: float = 0.35) -> Sums:
    """Return one embedding for each entry; those of one speaker are about 0.06 apart."""
    rng = np.random.default_rng(seed)
    voices = np.random.default_rng(9).uniform(0, 1, (40, 256)) ** 4
    voices /= np.linalg.norm(voices, axis=1, keepdims=True)
    noisy = voices[list(speakers)] + noise / 16 * np.abs(rng.normal(size=(len(speakers), 256)))
    return np.asarray(noisy / np.linalg.norm(noisy, axis=1, keepdims=True))


def all_reliable(embeddings: Sums) -> tuple[Sums, Mask, None]:
    return embeddings, np.ones(len(embeddings), bool), None


def number_by_appearance(labels: Sequence[int]) -> list[int]:
    """Return labels numbered by first appearance, so that only the partition counts."""
    return [list(dict.fromkeys(labels)).index(label) for label in labels]


def test_a_speaker_of_several_recordings_gets_one_number() -> None:
    speakers = [[0, 1, 0, 1, 1], [1, 2, 1], [3], [0], [2, 0]]
    recordings = [all_reliable(embed_speakers(row, seed)) for seed, row in enumerate(speakers)]
    labels = cluster_speakers(recordings, LIMITS)
    assert labels.tolist() == number_by_appearance(list(chain(*speakers)))


@pytest.mark.parametrize("block", [2, 3, 7, 64])
def test_the_block_size_does_not_change_the_clusters(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaker_clustering, "BLOCK", block)
    rng = np.random.default_rng(3)
    speakers = [rng.integers(0, 5, rng.integers(1, 9)).tolist() for _ in range(30)]
    recordings = [all_reliable(embed_speakers(row, seed)) for seed, row in enumerate(speakers)]
    labels = cluster_speakers(recordings, LIMITS).tolist()
    assert number_by_appearance(labels) == number_by_appearance(list(chain(*speakers)))


def test_unreliable_embeddings_get_the_nearest_speaker_of_their_recording() -> None:
    recordings = [
        (embed_speakers([0, 1, 1]), np.array([True, True, False]), None),
        (
            embed_speakers([2, 2], noise=3.0),
            np.array([False, False]),
            None,
        ),  # no speaker to be nearest
        (embed_speakers([1, 1], seed=2, noise=3.0), np.array([True, False]), None),
    ]
    labels = cluster_speakers(recordings, LIMITS).tolist()
    assert labels[:5] == [0, 1, 1, -1, -1]
    assert labels[5] == labels[6]


def test_voices_of_a_recording_are_groups_however_noisy_their_utterances() -> None:
    first = embed_speakers([0, 1, 0, 1, 0], noise=1.0)
    second = embed_speakers([1, 1, 1, 0], seed=1)
    everything, only_some = np.ones(5, bool), np.array([True, True, True, False])
    recordings = [
        (first, everything, np.array([4, 7, 4, 7, 4])),
        (second, only_some, np.array([0, 0, 0, 1])),  # voice 1 has no reliable utterance
    ]
    labels = cluster_speakers(recordings, DistanceLimits(0.02, 0.2)).tolist()
    assert labels == [0, 1, 0, 1, 0, 1, 1, 1, 0]


def test_means_of_many_short_utterances_are_still_told_apart() -> None:
    """The noise puts two utterances of one speaker farther apart than two speakers are."""
    noisy = embed_speakers([0, 1] * 150, noise=2.0)
    assert (1 - noisy[0] @ noisy[2]) > LIMITS.mean_distance
    sums_of_ten = np.array(
        [
            noisy[speaker::2][start : start + 10].sum(axis=0)
            for start in range(0, 150, 10)
            for speaker in (0, 1)
        ]
    )
    labels = OnlineClustering(LIMITS).assign(sums_of_ten, np.full(30, 10))
    assert labels.tolist() == [0, 1] * 15


def test_the_mean_distance_of_groups_follows_from_their_sums() -> None:
    first, second = embed_speakers([0] * 5, seed=1), embed_speakers([1] * 3, seed=2)
    distances = 1 - first @ second.T
    means = first.sum(axis=0, keepdims=True) / 5, second.sum(axis=0, keepdims=True) / 3
    assert speaker_clustering._cosine_distances(*means).item() == pytest.approx(
        distances.mean(), abs=1e-4
    )


def test_without_reliable_embeddings_there_are_no_speakers() -> None:
    assert cluster_speakers([], LIMITS).tolist() == []
    assert cluster_speakers([(embed_speakers([0]), np.array([False]), None)], LIMITS).tolist() == [
        -1
    ]
