"""Power of the gates: what held-out sets of a size can show, told before anything is decided.

The variance of a change of error rate grows with the number of errors: it is about their number
times a factor, which depends on how much of their luck two models share. So a share of the errors
is what a set can show, and the number of errors in it decides how small a share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from ..core.types import UNITS, Measure, Seconds, Share
from .paired_test import student_quantile

POWER = 0.8
"""Share of cases in which a difference of the size that is told is found."""
ASSUMED_ERROR_RATE = 0.1
"""Error rate of the untouched model before it is measured."""
VARIANCE_PER_ERROR: dict[Measure, tuple[float, float]] = {
    "words": (0.4, 1.0),
    "characters": (0.3, 2.0),
    "mixed": (0.3, 2.0),
}
"""Variance of the difference of two models' errors, per error of one, from the least to the most.
Measured with Whisper base before and after a round on telephone prompts (2026-11-29): 0.32 to 0.42
by word in English and 0.66 to 1.02 in Italian; by character, where one wrong word makes several
errors, 0.07 to 2.6 on the same sets. MER lies between the two."""
SHOWN_GAINS: tuple[Share, ...] = (0.05, 0.1, 0.2)
"""Shares of the errors for which the needed amount of speech is told."""
_POWER_QUANTILE = NormalDist().inv_cdf(POWER)


@dataclass(frozen=True)
class Sight:
    """Held-out speech as far as it decides how small a difference can be seen on it."""

    tokens: int
    """Tokens of the references."""
    measure: Measure
    error_rate: Share
    """Error rate of the untouched model, measured or assumed."""
    seconds: Seconds = 0.0
    """Duration of the speech; 0 if it is not known."""
    units: int = 0
    """Speakers, recordings or utterances whose luck is drawn; 0 if it is not known."""

    def find_gain(self, alpha: Share) -> tuple[Share, Share]:
        """Return the smallest and the largest estimate of the gain that is found in 4 of 5 cases.

        Args:
            alpha: Error of the test, one-sided.

        Returns:
            Shares of the errors; above 1 if no gain can be seen.

        >>> low, high = Sight(5000, "words", error_rate=0.1).find_gain(0.025)
        >>> f"{low:.1%} to {high:.1%}"
        '7.9% to 12.5%'
        """
        low, high = (
            self._quantiles(alpha) * math.sqrt(factor / max(1.0, self.tokens * self.error_rate))
            for factor in VARIANCE_PER_ERROR[self.measure]
        )
        return low, high

    def find_tokens(self, distance: Share, alpha: Share) -> tuple[float, float]:
        """Return the least and the most tokens that show a difference in 4 of 5 cases.

        Args:
            distance: Difference between the truth and the limit, as a share of the errors.
            alpha: Error of the test, one-sided.

        >>> low, high = Sight(5000, "words", error_rate=0.1).find_tokens(0.1, 0.025)
        >>> f"{low:.0f} to {high:.0f}"
        '3140 to 7849'
        """
        if not distance:
            return math.inf, math.inf
        # As if the units grew with the speech: that of few speakers is given by its quantile.
        needed_errors = (self._quantiles(alpha) / distance) ** 2
        low, high = (
            factor * needed_errors / max(self.error_rate, 1e-6)
            for factor in VARIANCE_PER_ERROR[self.measure]
        )
        return low, high

    def describe_tokens(self, distance: Share, alpha: Share) -> str:
        """Return `find_tokens` in words, with the duration of such speech.

        >>> Sight(5000, "words", 0.1, seconds=3600).describe_tokens(0.1, 0.025)
        '3,200 to 7,900 words (0.6 to 1.6 h)'
        """
        low, high = self.find_tokens(distance, alpha)
        text = f"{round_up(low)} to {round_up(high)} {UNITS[self.measure]}"
        if not self.seconds or math.isinf(high):
            return text
        hours = self.seconds / 3600 / max(1, self.tokens)
        return f"{text} ({low * hours:.1f} to {high * hours:.1f} h)"

    def _quantiles(self, alpha: Share) -> float:
        """Return how many standard errors a difference must have to be found in 4 of 5 cases."""
        quantile = -NormalDist().inv_cdf(alpha)
        if self.units:
            quantile = student_quantile(quantile, self.units - 1)
        return quantile + _POWER_QUANTILE


def tokens_to_decide(tokens: int, standard_error: float, distance: float, alpha: Share) -> float:
    """Return the tokens with which a test decides in 4 of 5 cases, from its standard error now.

    Args:
        tokens: Tokens of the references now.
        standard_error: Standard error of the change with them.
        distance: Difference between the true change and the limit.
        alpha: Error of the test, one-sided.

    >>> round(tokens_to_decide(1000, standard_error=0.01, distance=0.01, alpha=0.05))
    6183
    """
    if distance <= 0 or math.isinf(standard_error):
        return math.inf
    quantiles = _POWER_QUANTILE - NormalDist().inv_cdf(alpha)
    # A set that did not decide has shown that it can fail to: so at least twice as much.
    return tokens * max(2.0, (quantiles * standard_error / distance) ** 2)


def round_up(count: float) -> str:
    """Return a count rounded up to two digits, which is as precise as such estimates are.

    >>> round_up(1234), round_up(7)
    ('1,300', '7')
    """
    if not math.isfinite(count):
        return "infinitely many"
    digits = max(0, len(str(int(count))) - 2)
    return f"{math.ceil(count / 10**digits) * 10**digits:,}"
