"""Intervals of arms with several seeds, against figures made by hand and in a simulation."""

from __future__ import annotations

import numpy as np
import pytest

from twister_loop.core.types import ErrorCount
from twister_loop.evaluation import metrics
from twister_loop.pipeline.experiments.intervals import (
    ArmErrors,
    _estimate,
    estimate_difference,
    estimate_gap_share,
    index_groups,
)

LENGTHS = np.full(40, 100)
EACH = np.arange(40)


def arm_of(*rates: int, is_trained: bool = True) -> ArmErrors:
    """Return an arm with these errors in 100 words of every utterance, one number for each seed."""
    return ArmErrors(np.repeat([[rate] for rate in rates], 40, axis=1), LENGTHS, is_trained)


def noisy(
    rng: np.random.Generator, rate: float, *, seeds: int = 3, luck: float = 0.01
) -> ArmErrors:
    """Return an arm whose true error rate is moved by the luck of every seed."""
    of_seeds = [rng.binomial(LENGTHS // 10, rate + rng.normal(0, luck)) for _ in range(seeds)]
    return ArmErrors(np.array(of_seeds), LENGTHS // 10)


def test_the_luck_of_seeds_widens_an_interval_as_welch_computes_it() -> None:
    # All utterances alike, so that seeds are the only luck: sd 2 points, 4 degrees of freedom.
    first, second = arm_of(10, 12, 14), arm_of(15, 17, 19)
    difference = estimate_difference(first, second, [EACH])
    assert difference.rate == pytest.approx(-0.05)
    assert difference.low is not None and difference.high is not None
    half_width = 2.776 * 0.02 * np.sqrt(2 / 3)
    assert difference.high - difference.rate == pytest.approx(half_width, rel=0.01)
    assert difference.rate - difference.low == pytest.approx(half_width, rel=0.01)
    assert difference.is_shown


def test_an_untouched_model_has_no_luck() -> None:
    untouched = arm_of(20, is_trained=False)
    difference = estimate_difference(arm_of(10, 12, 14), untouched, [EACH])
    assert difference.high is not None
    # Two degrees of freedom: 4.30 standard errors, or a little more by the approximation.
    assert 4.30 <= (difference.high - difference.rate) / (0.02 / np.sqrt(3)) <= 4.50


def test_seeds_that_a_bootstrap_over_utterances_calls_different_are_not_shown() -> None:
    first, second = arm_of(10, 12, 14), arm_of(11, 13, 15)
    counts = [
        [ErrorCount(substitutions=int(n), hits=100 - int(n)) for seed in arm.errors for n in seed]
        for arm in (first, second)
    ]
    drawn = metrics.paired_bootstrap(counts[0], counts[1], 0, groups=[str(n) for n in EACH] * 3)
    assert metrics.percentile_interval_95(drawn)[1] < 0, "as it was before"
    assert not estimate_difference(first, second, [EACH]).is_shown


@pytest.mark.parametrize("single", [0, 1])
def test_one_seed_of_either_arm_gives_no_interval(single: int) -> None:
    arms = [arm_of(10, 11, 12), arm_of(30, 31, 32)]
    arms[single] = arm_of(*arms[single].errors[:1, 0])
    difference = estimate_difference(arms[0], arms[1], [EACH])
    assert difference.low is difference.high is None and not difference.is_shown
    assert difference.rate == pytest.approx(arms[0].rate - arms[1].rate)


def test_one_utterance_gives_no_interval() -> None:
    arms = [ArmErrors(np.array([[n], [n + 1]]), np.array([50])) for n in (5, 25)]
    assert estimate_difference(arms[0], arms[1], [np.arange(1)]).low is None


def test_few_speakers_give_the_wider_interval() -> None:
    # Two of four speakers gain much and two nothing; every speaker has ten utterances.
    speakers = index_groups([name for name in "anna ben carl dora".split() for _ in range(10)])
    gains = np.where(speakers < 2, 8, 0)
    better = ArmErrors(np.array([20 - gains, 20 - gains]), LENGTHS)
    by_utterance = estimate_difference(better, arm_of(20, 20), [EACH])
    by_speaker = estimate_difference(better, arm_of(20, 20), [EACH, speakers])
    assert by_utterance.is_shown and not by_speaker.is_shown
    assert by_speaker.low is not None and by_utterance.low is not None
    assert by_speaker.low < by_utterance.low < by_utterance.rate == by_speaker.rate


def test_equal_truth_is_called_different_in_at_most_five_percent() -> None:
    rng, trials = np.random.default_rng(0), 400
    different = sum(
        estimate_difference(noisy(rng, 0.14), noisy(rng, 0.14), [EACH]).is_shown
        for _ in range(trials)
    )
    assert different <= 0.05 * trials
    shown = sum(
        estimate_difference(noisy(rng, 0.10), noisy(rng, 0.18), [EACH]).is_shown for _ in range(100)
    )
    assert shown >= 85, "a large difference is seen"


def test_the_interval_of_a_share_ends_where_the_test_of_it_does() -> None:
    rng = np.random.default_rng(1)
    untouched = ArmErrors(rng.binomial(10, 0.2, (1, 40)), LENGTHS // 10, is_trained=False)
    arm, ceiling = noisy(rng, 0.12), noisy(rng, 0.05)
    share = estimate_gap_share(arm, untouched, ceiling, [EACH])
    assert share and share.low < share.share < share.high
    gap = untouched.rate - ceiling.rate
    assert share.share == pytest.approx((untouched.rate - arm.rate) / gap)
    for end in (share.low, share.high):
        terms = [(1.0, arm), (-end, ceiling), (end - 1, untouched)]
        rate, half_width = _estimate(terms, [EACH])
        assert half_width == pytest.approx(abs(rate), rel=1e-6)


def test_shares_hold_the_truth_in_ninety_five_percent() -> None:
    rng, trials = np.random.default_rng(2), 50
    held = 0
    for _ in range(trials):
        untouched = ArmErrors(rng.binomial(10, 0.2, (1, 40)), LENGTHS // 10, is_trained=False)
        arm, ceiling = noisy(rng, 0.14), noisy(rng, 0.08)
        share = estimate_gap_share(arm, untouched, ceiling, [EACH])
        held += share is not None and share.low <= 0.5 <= share.high
    assert held >= 0.92 * trials


def test_a_share_of_a_gap_that_is_not_shown_is_not_known() -> None:
    untouched = arm_of(12, is_trained=False)
    near, far, worse = arm_of(10, 12, 14), arm_of(2, 3, 4), arm_of(30, 31, 32)
    assert estimate_gap_share(arm_of(11, 12, 11), untouched, near, [EACH]) is None
    assert estimate_gap_share(arm_of(11, 12, 11), untouched, worse, [EACH]) is None
    assert estimate_gap_share(arm_of(8), untouched, far, [EACH]) is None, "one seed of the arm"
    ceiling = estimate_gap_share(far, untouched, far, [EACH])
    assert ceiling and (ceiling.low, ceiling.share, ceiling.high) == (1.0, 1.0, 1.0)


def test_silent_references_divide_nothing_by_zero() -> None:
    silent = ArmErrors(np.array([[0, 1], [1, 0]]), np.array([0, 0]))
    difference = estimate_difference(silent, silent, [np.arange(2)])
    assert difference.rate == 0 and not difference.is_shown
