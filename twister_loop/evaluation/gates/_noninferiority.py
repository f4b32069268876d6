"""Non-inferiority test that gates share: is no set worse than a baseline by more than a limit?

The test is a paired bootstrap on every set (Bisani and Ney, 2004), with Holm's correction (1979)
over the sets. If it fails, either the error rate of a set rose by more than the limit, or the set
is too small to tell, which is called undecided.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Annotated, ClassVar

import numpy as np

from ...core.ranges import Fraction, Range
from ...core.types import UNITS, Measure, Objection, SetKind, Share
from .. import metrics
from ..evidence import IN_DECODING, Decoding, Evidence, Outcome, SetSize
from ._base import Gate

ERROR_VARIANCE: dict[Measure, float] = {"words": 0.05, "characters": 0.025, "mixed": 0.05}
"""Variance of the difference in errors per token of the references, for preflight warnings only.
Measured with Whisper base before and after a round (2026-11-21), per word: 0.01 to 0.02 on English
telephone prompts, 0.05 to 0.13 on Italian ones; and between its two decodings (2026-11-28), per
word 0.006, 0.035 and 0.052 on three sets of such prompts, per character 0.005, 0.018 and 0.026."""


@dataclass(frozen=True)
class InconclusiveChange:
    """Set whose change of error rate is not shown to be below the limit."""

    name: str
    """Name of the set, and its decoding if that is not our own."""
    change: float
    """Error rate of the candidate minus that of the baseline."""
    upper: float
    """Upper confidence bound of the change."""
    limit: float
    """Largest change that is accepted."""
    tokens: int
    """Tokens of the references: words, or characters."""
    measure: Measure

    @property
    def undecided(self) -> bool:
        """Return whether the change itself is within the limit and only its upper bound is not."""
        return self.change < self.limit

    def __str__(self) -> str:
        unit = UNITS[self.measure]
        sentence = (
            f"{self.name}: error rate {100 * self.change:+.2f} points on {self.tokens} {unit}, "
            f"upper bound {100 * self.upper:+.2f}, limit {100 * self.limit:+.2f}"
        )
        if not self.undecided:
            return f"{sentence}, so it got worse"
        # The width of an interval shrinks with the square root of the number of tokens.
        # It has to shrink until the upper bound meets the limit.
        width_ratio = (self.upper - self.change) / (self.limit - self.change)
        missing = max(1.0, self.tokens * (width_ratio**2 - 1))
        return f"{sentence}, undecided: about {_round_up(missing)} more {unit} would decide"


@dataclass(frozen=True)
class NonInferiority(Gate):
    """Gate that rejects a candidate that is not shown to be as good as a baseline on every set."""

    kinds: ClassVar[tuple[SetKind, ...]] = ()
    """Kinds of sets to look at; all kinds if empty."""
    at_most: Fraction = 0.01
    """Largest rise of a set's error rate over the baseline's: 0.01 is one point, or 1 % if
    `relative`."""
    relative: bool = False
    """Take the limit as a share of the baseline's error rate."""
    level: Annotated[Share, Range(0.5, below=1)] = 0.95
    """Confidence that the rise is below the limit on every set, one-sided, corrected by Holm."""
    measure: Measure | None = None
    """Error rate to compare: `words`, `characters` or `mixed`; null takes that of each set."""
    decoding: Decoding = "clip"
    """Scores to read: `clip` (each clip in its own context) or `standard` (30 s windows with
    timestamps, as other tools decode)."""
    sets: tuple[str, ...] = ()
    """Names of the sets to look at; all sets if empty."""

    @abstractmethod
    def baseline(self, evidence: Evidence) -> Mapping[str, Outcome]:
        """Return the outcomes, by set, that the candidate must not be worse than."""

    def objection(self, evidence: Evidence) -> Objection | None:
        """Return all sets that failed the test in one sentence; undecided if none got worse."""
        changes = list(self._inconclusive_changes(evidence))
        if not changes:
            return None
        # One set that got worse decides; more speech for the others would not help.
        undecided = all(change.undecided for change in changes)
        return Objection(self.name, "; ".join(map(str, changes)), undecided)

    def describe_sight(self, sizes: Mapping[str, SetSize]) -> Iterator[str]:
        """Yield for every set the smallest rise of its error rate that cannot be chance."""
        sizes = self._select(sizes)
        quantile = self._quantile(len(sizes))
        for name, size in sizes.items():
            measure = self.measure or size.measure
            tokens = size.tokens[self.decoding][measure]
            error = 100 * quantile * math.sqrt(ERROR_VARIANCE[measure] / max(1, tokens))
            yield (
                f"{name}{IN_DECODING[self.decoding]}, {tokens} {UNITS[measure]}: a measured change "
                f"is uncertain by about {error:.1f} points; the limit is "
                f"{100 * self.at_most:+.1f}{' %' if self.relative else ' points'}"
            )

    def _select(self, sizes: Mapping[str, SetSize]) -> dict[str, SetSize]:
        """Return the sets that this gate looks at."""
        return {
            name: size
            for name, size in sizes.items()
            if size.kind in (self.kinds or (size.kind,)) and name in (self.sets or (name,))
        }

    def _quantile(self, set_count: int) -> float:
        """Return how many standard errors the upper bound lies above the change.

        By Bonferroni's level, which is the strictest of Holm's, and a normal distribution in the
        place of the bootstrap's.
        """
        return NormalDist().inv_cdf(1 - (1 - self.level) / max(1, set_count))

    def preflight_warnings(self, sizes: Mapping[str, SetSize]) -> Iterator[str]:
        """Yield a warning for every set on which even an equally good candidate is undecided."""
        # A relative limit depends on the baseline's error rate, which is not measured yet.
        if self.relative:
            return
        sizes = self._select(sizes)
        quantile = self._quantile(len(sizes))
        for name, size in sizes.items():
            measure = self.measure or size.measure
            tokens, unit = size.tokens[self.decoding][measure], UNITS[measure]
            variance = ERROR_VARIANCE[measure]
            needed = variance * (quantile / self.at_most) ** 2 if self.at_most else math.inf
            if tokens < needed:
                yield (
                    f"{name}{IN_DECODING[self.decoding]} has {tokens} {unit}: a candidate that is "
                    "just as good stays undecided at the limit of "
                    f"{100 * self.at_most:+.2f} points; about {_round_up(needed)} {unit} of "
                    "held-out speech would decide, or a larger limit `at_most`"
                )

    def _inconclusive_changes(self, evidence: Evidence) -> Iterator[InconclusiveChange]:
        """Yield the sets that fail the test at their level of Holm's correction.

        The most significant set is tested at the strictest level, the least at the plain one.
        """
        evidence = evidence.decoded(self.decoding)
        baseline, tests = self.baseline(evidence), []
        for name in evidence.set_names(*self.kinds, only=self.sets):
            candidate = evidence.candidate[name]
            new_counts = candidate.counts(self.measure)
            old_counts = baseline[name].counts(self.measure)
            differences = metrics.paired_bootstrap(
                candidate=new_counts,
                champion=old_counts,
                seed=evidence.seed,
                groups=candidate.groups,
            )
            # Groups are the candidate's: both models transcribed the same utterances.
            old = metrics.sum_counts(old_counts)
            limit = self.at_most * old.rate if self.relative else self.at_most
            # One is added to both, since a p-value of exactly 0 cannot come of finite draws.
            p_value = (1 + int((differences >= limit).sum())) / (1 + len(differences))
            change = InconclusiveChange(
                name=f"{name}{IN_DECODING[self.decoding]}",
                change=metrics.sum_counts(new_counts).rate - old.rate,
                upper=0.0,
                limit=limit,
                tokens=old.length,
                measure=self.measure or candidate.score.measure,
            )
            tests.append((p_value, name, change, differences))
        # Names break ties, so that the same evidence gives the same sentence.
        ranked = sorted(tests, key=lambda test: test[:2])
        for rank, (p_value, _, change, differences) in enumerate(ranked):
            alpha = (1 - self.level) / (len(tests) - rank)
            if p_value > alpha:
                yield replace(change, upper=float(np.quantile(differences, 1 - alpha)))


def _round_up(count: float) -> str:
    """Return a count rounded up to two digits, which is as precise as the estimate is."""
    if not math.isfinite(count):
        return "infinitely many"
    digits = max(0, len(str(int(count))) - 2)
    return f"{math.ceil(count / 10**digits) * 10**digits:,}"
