"""Speakers are told apart by their embeddings, however many utterances and recordings there are."""

from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="an extra")
import functools
import operator

from twister_loop.audio import speaker_clustering as clustering
from twister_loop.audio.speaker_clustering import (
    DistanceLimits,
    Mask,
    OnlineClustering,
    Sums,
    cluster_speakers,
)

LIMITS = DistanceLimits(mean_distance=0.175, distance_of_means=0.1)


def utterances(whose: Sequence[int], seed: int = 0, noise: float = 0.35) -> Sums:
    """Embeddings of somebody's speech each; those of one speaker are about 0.06 apart."""
    rng = np.random.default_rng(seed)
    voices = np.random.default_rng(9).uniform(0, 1, (40, 256)) ** 4
    voices /= np.linalg.norm(voices, axis=1, keepdims=True)
    noisy = voices[list(whose)] + noise / 16 * np.abs(rng.normal(size=(len(whose), 256)))
    return np.asarray(noisy / np.linalg.norm(noisy, axis=1, keepdims=True))


def all_of(embeddings: Sums) -> tuple[Sums, Mask]:
    return embeddings, np.ones(len(embeddings), bool)


def partition(numbers: Sequence[int]) -> list[int]:
    """Numbers by first appearance, so that only who is with whom counts."""
    return [list(dict.fromkeys(numbers)).index(each) for each in numbers]


def test_who_speaks_in_several_recordings_is_one_speaker() -> None:
    whose = [[0, 1, 0, 1, 1], [1, 2, 1], [3], [0], [2, 0]]
    recordings = [all_of(utterances(each, seed)) for seed, each in enumerate(whose)]
    told = cluster_speakers(recordings, LIMITS)
    assert told.tolist() == partition(functools.reduce(operator.iadd, whose, []))


@pytest.mark.parametrize("block", [2, 3, 7, 64])
def test_how_many_are_clustered_at_once_does_not_change_who_is_found(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clustering, "BLOCK", block)
    rng = np.random.default_rng(3)
    whose = [rng.integers(0, 5, rng.integers(1, 9)).tolist() for _ in range(30)]
    recordings = [all_of(utterances(each, seed)) for seed, each in enumerate(whose)]
    told = cluster_speakers(recordings, LIMITS)
    assert partition(told.tolist()) == partition(functools.reduce(operator.iadd, whose, []))


def test_short_speech_decides_nothing_and_is_whoever_of_its_recording_is_nearest() -> None:
    recordings = [
        (utterances([0, 1, 1]), np.array([True, True, False])),
        (utterances([2, 2], noise=3.0), np.array([False, False])),  # nobody it could be
        (utterances([1, 1], seed=2, noise=3.0), np.array([True, False])),
    ]
    told = cluster_speakers(recordings, LIMITS).tolist()
    assert told[:5] == [0, 1, 1, -1, -1]
    assert told[5] == told[6]


def test_how_short_utterances_are_does_not_matter_where_there_are_many() -> None:
    """So noisy that two utterances of one speaker are farther apart than speakers are."""
    noisy = utterances([0, 1] * 150, noise=2.0)
    assert (1 - noisy[0] @ noisy[2]) > LIMITS.mean_distance
    two = OnlineClustering(LIMITS)
    counts = np.full(30, 10)
    of_ten = np.array(
        [noisy[who::2][at : at + 10].sum(axis=0) for at in range(0, 150, 10) for who in (0, 1)]
    )
    assert two.assign(of_ten, counts).tolist() == [0, 1] * 15


def test_the_mean_distance_of_groups_follows_from_their_sums() -> None:
    one, other = utterances([0] * 5, seed=1), utterances([1] * 3, seed=2)
    every = 1 - one @ other.T
    sums = one.sum(axis=0, keepdims=True) / 5, other.sum(axis=0, keepdims=True) / 3
    assert clustering._cosine_distances(*sums).item() == pytest.approx(every.mean(), abs=1e-4)


def test_nothing_to_tell_apart_is_nobody() -> None:
    assert cluster_speakers([], LIMITS).tolist() == []
    assert cluster_speakers([(utterances([0]), np.array([False]))], LIMITS).tolist() == [-1]
