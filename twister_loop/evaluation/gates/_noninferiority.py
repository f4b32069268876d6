"""Non-inferiority test that gates share: is no set worse than a baseline by more than a limit?

The test is that of `paired_test` on every set, with Holm's correction (1979) over the sets. If it
fails, either the error rate of a set rose by more than the limit, or the set is too small to tell,
which is called undecided.

Every candidate is tested anew at the plain level, whatever the number of looks: a loss of exactly
the limit passes one look in 5 % of cases. Stricter levels at later looks would refuse most
candidates that are just as good, on sets of a few hundred utterances, and would gain little, since
a larger loss than the limit passes far more seldom. BENCHMARKS.md shows both.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Annotated, ClassVar

from ...core.ranges import Fraction, Range
from ...core.types import UNITS, Measure, Objection, SetKind, Share
from ..evidence import IN_DECODING, Decoding, Evidence, Outcome, SetSize
from ..paired_test import PairedChange, measure_change, student_quantile
from ..power import (
    ASSUMED_ERROR_RATE,
    POWER,
    VARIANCE_PER_ERROR,
    Sight,
    round_up,
    tokens_to_decide,
)
from ._base import Gate


@dataclass(frozen=True)
class InconclusiveChange:
    """Set whose change of error rate is not shown to be below the limit."""

    name: str
    """Name of the set, and its decoding if that is not our own."""
    measured: PairedChange
    limit: float
    """Largest change that is accepted."""
    alpha: Share
    """Error of the test on this set."""
    measure: Measure

    @property
    def undecided(self) -> bool:
        """Return whether the change itself is within the limit and only its upper bound is not."""
        return self.measured.change < self.limit

    def __str__(self) -> str:
        unit, tokens = UNITS[self.measure], self.measured.tokens
        sentence = (
            f"{self.name}: error rate {100 * self.measured.change:+.2f} points on {tokens} {unit}, "
            f"upper bound {100 * self.measured.upper(self.alpha):+.2f}, "
            f"limit {100 * self.limit:+.2f}"
        )
        if not self.undecided:
            return f"{sentence}, so it got worse"
        spread = self.measured.widest(self.alpha)
        if spread.units == 1:
            return f"{sentence}, undecided: the set has one utterance, which says nothing of others"
        # By assumed truths and not by the measured change, which is mostly chance where it did not
        # decide: the same truth gave anything from 6 to 22,624 words.
        # A limit of 0 is only ever passed by a gain.
        near = self.limit or 0.1 * self.measured.baseline_rate
        less, more = (
            round_up(tokens_to_decide(tokens, spread.standard_error, distance, self.alpha))
            for distance in (2 * near, near)
        )
        best, worst = self.limit - 2 * near, self.limit - near
        return (
            f"{sentence}, undecided from {spread.units} {spread.unit}: {less} to {more} {unit} "
            f"of held-out speech in all would decide with {POWER:.0%} power, if the true change "
            f"lies between {100 * best:+.2f} and {100 * worst:+.2f}"
        )


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
        """Yield for every set how often a candidate that is just as good is accepted."""
        sizes = self._select(sizes)
        for name, size in sizes.items():
            sight = self._sight(size)
            yield (
                f"{name}{IN_DECODING[self.decoding]}, {sight.tokens} {UNITS[sight.measure]}: a "
                f"candidate that is just as good passes in {self._describe_chance(sight, sizes)} "
                f"of cases, at a limit of {self._describe_limit()}"
            )

    def preflight_warnings(self, sizes: Mapping[str, SetSize]) -> Iterator[str]:
        """Yield a warning for every set on which most equally good candidates stay undecided."""
        sizes = self._select(sizes)
        for name, size in sizes.items():
            sight = self._sight(size)
            if sight.units == 1:
                yield (
                    f"{name}{IN_DECODING[self.decoding]} has one utterance, which says nothing of "
                    "others: it decides nothing, unless the candidate transcribes it as before"
                )
            elif max(self._chances(sight, sizes)) < POWER:
                yield (
                    f"{name}{IN_DECODING[self.decoding]} has {sight.tokens} "
                    f"{UNITS[sight.measure]}: a candidate that is just as good is shown to be so "
                    f"in {self._describe_chance(sight, sizes)} of cases, at a limit of "
                    f"{self._describe_limit()}; "
                    f"{sight.describe_tokens(self._distance(sight), self._strictest(sizes))} of "
                    f"held-out speech would show it in {POWER:.0%}, or a larger limit `at_most`"
                )

    def _select(self, sizes: Mapping[str, SetSize]) -> dict[str, SetSize]:
        """Return the sets that this gate looks at."""
        return {
            name: size
            for name, size in sizes.items()
            if size.kind in (self.kinds or (size.kind,)) and name in (self.sets or (name,))
        }

    def _sight(self, size: SetSize) -> Sight:
        measure = self.measure or size.measure
        tokens = size.tokens[self.decoding][measure]
        whole = size.tokens["clip"][measure]
        return Sight(
            tokens=tokens,
            measure=measure,
            error_rate=size.error_rates.get(self.decoding, {}).get(measure, ASSUMED_ERROR_RATE),
            seconds=size.seconds * tokens / max(1, whole),
            units=size.units,
        )

    def _distance(self, sight: Sight) -> Share:
        """Return the limit as a share of the errors."""
        return self.at_most if self.relative else self.at_most / max(sight.error_rate, 1e-6)

    def _strictest(self, sizes: Mapping[str, SetSize]) -> Share:
        """Return the error of the test on one set by Bonferroni, the strictest level of Holm's."""
        return (1 - self.level) / max(1, len(sizes))

    def _chances(self, sight: Sight, sizes: Mapping[str, SetSize]) -> list[Share]:
        """Return the least and the largest estimate of how often an equal candidate passes."""
        quantile = -NormalDist().inv_cdf(self._strictest(sizes))
        if sight.units:
            quantile = student_quantile(quantile, sight.units - 1)
        errors = max(1.0, sight.tokens * sight.error_rate)
        return sorted(
            NormalDist().cdf(self._distance(sight) / math.sqrt(factor / errors) - quantile)
            for factor in VARIANCE_PER_ERROR[sight.measure]
        )

    def _describe_chance(self, sight: Sight, sizes: Mapping[str, SetSize]) -> str:
        low, high = (f"{chance:.0%}" for chance in self._chances(sight, sizes))
        return low if low == high else f"{low} to {high}"

    def _describe_limit(self) -> str:
        return f"{100 * self.at_most:+.2g}{' %' if self.relative else ' points'}"

    def _inconclusive_changes(self, evidence: Evidence) -> Iterator[InconclusiveChange]:
        """Yield the sets that fail the test at their level of Holm's correction.

        The most significant set is tested at the strictest level, the least at the plain one.
        """
        evidence = evidence.decoded(self.decoding)
        baseline, tests = self.baseline(evidence), []
        for name in evidence.set_names(*self.kinds, only=self.sets):
            candidate = evidence.candidate[name]
            # Groups are the candidate's: both models transcribed the same utterances.
            change = measure_change(
                candidate.counts(self.measure),
                baseline[name].counts(self.measure),
                candidate.groups,
                candidate.resampling_unit,
            )
            limit = self.at_most * change.baseline_rate if self.relative else self.at_most
            tests.append((change.p_value(limit), name, change, limit))
        # Names break ties, so that the same evidence gives the same sentence.
        ranked = sorted(tests, key=lambda test: test[:2])
        for rank, (p_value, name, change, limit) in enumerate(ranked):
            alpha = (1 - self.level) / (len(tests) - rank)
            if p_value > alpha:
                yield InconclusiveChange(
                    name=f"{name}{IN_DECODING[self.decoding]}",
                    measured=change,
                    limit=limit,
                    alpha=alpha,
                    measure=self.measure or evidence.candidate[name].score.measure,
                )
