"""Test of a change of error rate between two models on the same utterances.

The statistic is the change divided by its standard error, in Student's distribution. The standard
error is that of a ratio of sums (errors per token), by the linearized jackknife: what a paired
bootstrap converges to, and larger where one speaker has much of the speech. Percentiles of a
bootstrap cannot be used here: repeated looks need levels such as 0.9995, which lie beyond the
draws, and with 50 utterances they are too narrow.

A few large losses among many small gains, such as hallucinations, make a gain look surer than it
is, because a small set may hold too few of them. Hall's transformation (1992) takes that back as
far as the set shows it. BENCHMARKS.md shows how well the test keeps its level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ..core.types import ErrorCount, Share

NORMAL = NormalDist()


@dataclass(frozen=True)
class Spread:
    """Standard error of a change, if a new test set had other units of one kind."""

    unit: str
    """What varies: `utterances`, `speakers` or `recordings`."""
    units: int
    """Number of units in the set."""
    standard_error: float
    """Standard error of the change of the error rate; 0 if no utterance changed."""
    skewness: float = 0.0
    """Skewness of the units' changes divided by the root of their number; 0 if it is negative."""


@dataclass(frozen=True)
class PairedChange:
    """Change of an error rate from a baseline to a candidate, with its uncertainty."""

    change: float
    """Error rate of the candidate minus that of the baseline."""
    tokens: int
    """Tokens of the references."""
    baseline_rate: float
    """Error rate of the baseline."""
    spreads: tuple[Spread, ...]
    """By utterances and, where they are known, by speakers or recordings. The widest counts."""

    def p_value(self, limit: float = 0.0) -> float:
        """Return the chance of such a change, or a better one, if the true one is the limit."""
        return max(_p_value(self.change - limit, spread) for spread in self.spreads)

    def upper(self, alpha: float) -> float:
        """Return the upper confidence bound of the change, one-sided, at the level 1 - alpha."""
        return max(self.change + _margin(alpha, spread) for spread in self.spreads)

    def widest(self, alpha: float) -> Spread:
        """Return the kind of unit that leaves most doubt at the level 1 - alpha."""
        return max(self.spreads, key=lambda spread: _margin(alpha, spread))


def measure_change(
    candidate: Sequence[ErrorCount],
    baseline: Sequence[ErrorCount],
    groups: Sequence[str],
    unit: str = "utterances",
) -> PairedChange:
    """Measure the change of the error rate between two models.

    Args:
        candidate: Counts of every utterance.
        baseline: Counts of the same utterances, in the same order.
        groups: Speaker, recording or utterance of every utterance.
        unit: What the groups are.

    Raises:
        ValueError: The models have different numbers of utterances.

    >>> two, one = ErrorCount(substitutions=2, hits=8), ErrorCount(substitutions=1, hits=9)
    >>> measured = measure_change([one, two] * 20, [two, two] * 20, [*map(str, range(40))])
    >>> round(measured.change, 3), round(measured.upper(0.05), 3), measured.p_value() < 0.001
    (-0.05, -0.037, True)
    """
    if len(candidate) != len(baseline):
        raise ValueError(
            "a paired test needs the same utterances of both models, but there are "
            f"{len(candidate)} and {len(baseline)}"
        )
    lengths = np.array([count.length for count in baseline], dtype=np.float64)  # (utterances,)
    differences = np.array(
        [new.errors - old.errors for new, old in zip(candidate, baseline, strict=True)],
        dtype=np.float64,
    )  # (utterances,)
    tokens = int(lengths.sum())
    errors = sum(count.errors for count in baseline)
    # References without any token have length 0; errors in silence then count as whole errors.
    change = float(differences.sum()) / max(1, tokens)
    # What every utterance adds to the deviation from the mean change (delta method).
    residuals = differences - change * lengths  # (utterances,)
    if not differences.any():
        # No utterance changed: that is no doubt, however few there are.
        return PairedChange(
            0.0, tokens, errors / max(1, tokens), (Spread("utterances", len(candidate), 0.0),)
        )
    spreads = [_measure_spread("utterances", residuals, lengths)]
    if len(set(groups)) < len(groups):
        index_of_group = {name: index for index, name in enumerate(dict.fromkeys(groups))}
        group_of_utterance = [index_of_group[name] for name in groups]
        residual_sums, length_sums = (
            np.bincount(group_of_utterance, weights=weights) for weights in (residuals, lengths)
        )  # (groups,)
        spreads.append(_measure_spread(unit, residual_sums, length_sums))
    return PairedChange(change, tokens, errors / max(1, tokens), tuple(spreads))


def student_quantile(normal_quantile: float, degrees: float) -> float:
    """Return the quantile of Student's distribution that belongs to one of the normal distribution.

    By Wallace's approximation (1959), since a check of a plan should not wait for scipy. Between
    the levels 0.9 and 0.9995 it is at most 0.1 % below the exact one, and from 4 degrees on at
    most 4 % above it; with fewer it is larger still, which is the careful side.

    >>> [round(student_quantile(1.96, degrees), 2) for degrees in (4, 10, 1000)]
    [2.79, 2.23, 1.96]
    """
    if degrees < 1:
        return math.copysign(math.inf, normal_quantile)
    scaled = normal_quantile * (8 * degrees + 3) / (8 * degrees + 1)
    # Beyond this exponent the quantile is above 1e100, and squares would overflow.
    exponent = min(scaled**2 / degrees, 460.0)
    return math.copysign(math.sqrt(degrees * math.expm1(exponent)), normal_quantile)


def _normal_quantile(student: float, degrees: int) -> float:
    """Return the quantile of the normal distribution that belongs to one of Student's."""
    size = math.sqrt(degrees * math.log1p(student**2 / degrees))
    return math.copysign(size * (8 * degrees + 1) / (8 * degrees + 3), student)


def _measure_spread(unit: str, residuals: np.ndarray, lengths: np.ndarray) -> Spread:
    """Measure the standard error of a change from units; both of shape (units,)."""
    units, tokens = len(residuals), max(1.0, float(lengths.sum()))
    if units < 2:
        # One unit says nothing of others, unless nothing changed.
        return Spread(unit, units, math.inf)
    # A unit pulls the mean towards itself by its share, which leaving it out takes back.
    shares = np.minimum(lengths / tokens, 1 - 1e-9)
    residuals = residuals / (1 - shares)
    squares, cubes = (float((residuals**power).mean()) for power in (2, 3))
    if squares < 1e-12:  # all changed alike, but for rounding
        return Spread(unit, units, 0.0)
    return Spread(
        unit,
        units,
        standard_error=math.sqrt(squares * (units - 1)) / tokens,
        # Only what takes certainty away is believed: a skewness that gives some needs large sets.
        skewness=max(0.0, cubes / squares**1.5) / math.sqrt(units),
    )


def _p_value(distance: float, spread: Spread) -> Share:
    """Return the p-value of a change that lies below the limit by a (negative) distance."""
    if math.isinf(spread.standard_error):
        return 1.0
    if not spread.standard_error:
        # All units changed alike: that is no doubt.
        return float(distance > 0)
    degrees = spread.units - 1
    student, skewness = distance / spread.standard_error, spread.skewness
    if skewness:
        student = ((1 + skewness * student / 3) ** 3 - 1) / skewness + skewness / 6
    return NORMAL.cdf(_normal_quantile(student, degrees))


def _margin(alpha: Share, spread: Spread) -> float:
    if not spread.standard_error:
        return 0.0
    if math.isinf(spread.standard_error):
        return math.inf
    student, skewness = -student_quantile(-NORMAL.inv_cdf(alpha), spread.units - 1), spread.skewness
    if skewness:
        cube = 1 + skewness * (student - skewness / 6)
        student = 3 * (math.copysign(abs(cube) ** (1 / 3), cube) - 1) / skewness
    return -student * spread.standard_error
