"""Intervals of differences between arms that were trained with several seeds.

Two things are drawn at random: the utterances of the test set, or its speakers, and the seeds of
the trainings. An interval over utterances alone is that of these very weights, and another training
of the same arm gives others. With a handful of seeds a bootstrap of their values is too narrow, so
both variances are estimated, added, and read by Student's t (Welch, 1947; Satterthwaite, 1946).
`benchmarks/comparisons.py` measures how often arms of equal truth are called different.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from ...core.types import Share
from ...evaluation.paired_test import student_quantile

TWO_SIDED_95 = NormalDist().inv_cdf(0.975)
WIDEST_SHARE: Share = 1e6
"""Shares of a gap are not searched beyond this: an interval that is wider has no end."""
BISECTIONS = 40


@dataclass(frozen=True)
class ArmErrors:
    """Errors of one arm on one set in one decoding."""

    errors: np.ndarray
    """Errors of every training on every utterance, shape (seeds, utterances)."""
    lengths: np.ndarray
    """Tokens of the reference of every utterance, shape (utterances,)."""
    is_trained: bool = True
    """False for a published model, which no seed changes."""

    @property
    def rates(self) -> np.ndarray:
        """Error rate of every seed, shape (seeds,)."""
        rates: np.ndarray = self.errors.sum(axis=1) / max(self.lengths.sum(), 1)
        return rates

    @property
    def rate(self) -> float:
        """Mean error rate of the seeds, which have the same references."""
        return float(self.rates.mean())


@dataclass(frozen=True)
class ArmDifference:
    """Difference of the error rates of two arms; its interval covers seeds and utterances."""

    rate: float
    """First error rate minus the second; negative if the first is better."""
    low: float | None = None
    """Lower end of the 95 % interval; None if it is not known, as with one seed."""
    high: float | None = None

    @property
    def is_shown(self) -> bool:
        """Return whether the interval is known and excludes zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class GapShare:
    """Share of the gap between the untouched model and the ceiling that an arm closes."""

    share: Share
    low: Share
    """Lower end of the 95 % interval."""
    high: Share


class _Estimate(NamedTuple):
    """Weighted sum of error rates, with half the width of its 95 % interval."""

    rate: float
    half_width: float | None
    """None if it is not known."""


WeightedArms = Sequence[tuple[float, ArmErrors]]
Groupings = Sequence[np.ndarray]
"""Groups of the utterances by `index_groups`: each by itself, by speaker, by recording. The
interval is the widest of those that draw one of them. Every array has the shape (utterances,)."""


def index_groups(names: Sequence[str]) -> np.ndarray:
    """Return the number of every utterance's group, shape (utterances,).

    >>> index_groups(["anna", "ben", "anna"])
    array([0, 1, 0])
    """
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names])


def estimate_difference(first: ArmErrors, second: ArmErrors, groupings: Groupings) -> ArmDifference:
    """Return the first error rate minus the second, with its 95 % interval.

    >>> lengths, groups = np.array([10, 10, 10]), index_groups(["a", "b", "c"])
    >>> better = ArmErrors(np.array([[1, 0, 1], [1, 1, 1]]), lengths)
    >>> worse = ArmErrors(np.array([[6, 5, 6], [6, 6, 5]]), lengths)
    >>> estimate_difference(better, worse, [groups]).is_shown
    True
    >>> one_seed = ArmErrors(better.errors[:1], lengths)
    >>> estimate_difference(one_seed, worse, [groups]).low is None
    True
    """
    rate, half_width = _estimate([(1.0, first), (-1.0, second)], groupings)
    if half_width is None:
        return ArmDifference(rate)
    return ArmDifference(rate, low=rate - half_width, high=rate + half_width)


def estimate_gap_share(
    arm: ArmErrors, untouched: ArmErrors, ceiling: ArmErrors, groupings: Groupings
) -> GapShare | None:
    """Return the share of the gap between two models that an arm closes, with its interval.

    The interval holds the shares that the data do not contradict (Fieller, 1954): where the arm may
    have the error rate that lies at this share of the way. None if the gap itself is not shown, for
    then no share can be excluded.
    """
    # Divided by a gap that may be zero, a share could be anything.
    gap = estimate_difference(ceiling, untouched, groupings)
    if not gap.is_shown or gap.rate >= 0:
        return None
    if arm is ceiling:
        return GapShare(1.0, 1.0, 1.0)
    share = (arm.rate - untouched.rate) / gap.rate

    def is_contradicted(candidate: Share) -> bool:
        terms = [(1.0, arm), (-candidate, ceiling), (candidate - 1, untouched)]
        rate, half_width = _estimate(terms, groupings)
        return half_width is not None and abs(rate) > half_width

    # An arm with one seed contradicts nothing, so its interval has no end.
    low, high = (_find_end(share, step, is_contradicted) for step in (-1.0, 1.0))
    return None if low is None or high is None else GapShare(share, low, high)


def _find_end(share: Share, step: float, is_contradicted: Callable[[Share], bool]) -> Share | None:
    """Return where the interval around a share ends on one side; None if it does not."""
    while not is_contradicted(share + step):
        if abs(step) > WIDEST_SHARE:
            return None
        step *= 2
    inside, outside = share, share + step
    for _ in range(BISECTIONS):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if is_contradicted(middle) else (middle, outside)
    return inside


def _estimate(terms: WeightedArms, groupings: Groupings) -> _Estimate:
    """Return the sum of weighted error rates, with half the width of its interval.

    Args:
        terms: Weight and errors of every arm; the weights add up to 0.
        groupings: See `Groupings`; every arm has the same utterances.
    """
    rate = sum(weight * arm.rate for weight, arm in terms)
    lengths = terms[0][1].lengths
    if any(weight and arm.is_trained and len(arm.errors) < 2 for weight, arm in terms):
        return _Estimate(rate, None)
    # What the choice of seeds adds: the variance of the mean of the trainings, of each arm apart.
    # Trainings with the same seed share little, and where they do this is the wider interval.
    luck = [
        (weight**2 * float(arm.rates.var(ddof=1)) / len(arm.errors), len(arm.errors) - 1)
        for weight, arm in terms
        if weight and arm.is_trained
    ]
    # What the choice of utterances adds: the variance of a ratio of sums, by its linear form.
    weighted = sum(weight * arm.errors.mean(axis=0) for weight, arm in terms)
    deviations = (weighted - rate * lengths) / max(lengths.sum(), 1)  # (utterances,)
    widths = [_half_width(deviations, groups, luck) for groups in groupings]
    # One kind of unit that cannot be judged leaves the whole interval open.
    known = [width for width in widths if width is not None]
    return _Estimate(rate, max(known) if len(known) == len(widths) else None)


def _half_width(
    deviations: np.ndarray, groups: np.ndarray, luck: Sequence[tuple[float, int]]
) -> float | None:
    """Return half the width of the interval that draws these groups; None for a single group."""
    sums = np.bincount(groups, weights=deviations)  # (groups,)
    count = len(sums)
    if count < 2:
        return None
    drawn = (count / (count - 1) * float((sums**2).sum()), count - 1)
    # Errors that fall differently from training to training are in both parts, so that the interval
    # is a little too wide rather than too narrow.
    parts = [drawn, *luck]
    variance = sum(part for part, _ in parts)
    if not variance:
        return 0.0
    degrees = variance**2 / sum(part**2 / free for part, free in parts)
    return student_quantile(TWO_SIDED_95, degrees) * math.sqrt(variance)
