"""One question for several sets: can one say that none got worse by more than a limit?

A non-inferiority test for every set, by paired bootstrap (Bisani and Ney, 2004), and Holm's
correction (1979) over the sets. Where it cannot be said, either a set got worse, or the sets are
too small to say anything: the latter is `undecided`.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import ClassVar

import numpy as np

from ...core.types import Objection, SetKind, Share
from .. import metrics
from ..evidence import Evidence, Measure, Outcome
from ._base import Gate

SPREAD = 0.05
"""Variance of the difference in errors, for every reference word; for looking ahead only. Whisper
base before and after a round (2026-11-21): 0.01 to 0.02 on English telephone prompts, 0.05 to 0.13
on Italian ones."""


@dataclass(frozen=True)
class InconclusiveChange:
    """A set of which one cannot say that it did not get worse."""

    name: str
    change: float
    upper: float
    limit: float
    tokens: int

    @property
    def undecided(self) -> bool:
        return self.change < self.limit

    def __str__(self) -> str:
        found = (
            f"{self.name}: {self.change:+.2%} on {self.tokens} tokens, "
            f"upper bound {self.upper:+.2%}, limit {self.limit:+.2%}"
        )
        if not self.undecided:
            return f"{found}, got worse"
        wider = ((self.upper - self.change) / (self.limit - self.change)) ** 2
        more = max(1.0, self.tokens * (wider - 1))
        return f"{found}, undecided: about {_rounded(more)} more would decide"


@dataclass(frozen=True)
class NonInferiority(Gate):
    """The options and the test that such gates have in common."""

    kinds: ClassVar[tuple[SetKind, ...]] = ()
    """Of the sets to look at; all where none is named."""
    at_most: Share = 0.01
    """How much higher than the other model's the error rate of a set may be: 0.01 is one point, or
    1 % where `relative`."""
    relative: bool = False
    """Whether the limit is a part of the other model's error rate."""
    level: Share = 0.95
    """Confidence to be below the limit on every set, one-sided, corrected by Holm."""
    measure: Measure = "words"
    sets: tuple[str, ...] = ()
    """Which to look at; all if none is named."""

    @abstractmethod
    def baseline(self, evidence: Evidence) -> Mapping[str, Outcome]:
        """The model that the candidate must not fall behind."""

    def objection(self, evidence: Evidence) -> Objection | None:
        """All doubts in one sentence; undecided where no set got worse."""
        doubts = list(self._doubts(evidence))
        if not doubts:
            return None
        undecided = all(each.undecided for each in doubts)
        return Objection(self.name, "; ".join(map(str, doubts)), undecided)

    def preflight_warnings(self, sets: Mapping[str, tuple[SetKind, int]]) -> Iterator[str]:
        """Sets on which a candidate that is exactly as good as the other will be undecided."""
        if self.relative:
            return  # nobody knows the rate yet
        chosen = {
            name: words
            for name, (kind, words) in sets.items()
            if kind in (self.kinds or (kind,)) and name in (self.sets or (name,))
        }
        level = 1 - (1 - self.level) / max(1, len(chosen))
        sure = NormalDist().inv_cdf(level)
        needed = SPREAD * (sure / self.at_most) ** 2 if self.at_most else math.inf
        for name, count in chosen.items():
            if count < needed:
                yield (
                    f"{name} has {count} words: a candidate that is just as good stays undecided "
                    f"at the limit of {self.at_most:+.2%}; about {_rounded(needed)} words would "
                    "do, or a gain that outweighs the doubt"
                )

    def _doubts(self, evidence: Evidence) -> Iterator[InconclusiveChange]:
        """Holm's way: the clearest set meets the strictest level, the least clear the plain one."""
        other, tests = self.baseline(evidence), []
        for name in evidence.set_names(*self.kinds, among=self.sets):
            candidate = evidence.candidate[name]
            new, old = candidate.counts(self.measure), other[name].counts(self.measure)
            drawn = metrics.paired_bootstrap(new, old, evidence.seed, groups=candidate.groups)
            was = metrics.sum_counts(old)
            allowed = self.at_most * was.rate if self.relative else self.at_most
            chance = (1 + int((drawn >= allowed).sum())) / (1 + len(drawn))
            doubt = InconclusiveChange(name, metrics.sum_counts(new).rate - was.rate, 0.0, allowed, was.length)
            tests.append((chance, name, doubt, drawn))
        for place, (chance, _, doubt, drawn) in enumerate(sorted(tests, key=lambda each: each[:2])):
            level = (1 - self.level) / (len(tests) - place)
            if chance > level:
                yield replace(doubt, upper=float(np.quantile(drawn, 1 - level)))


def _rounded(count: float) -> str:
    """Two digits are enough for a guess."""
    if not math.isfinite(count):
        return "endlessly many"
    digits = max(0, len(str(int(count))) - 2)
    return f"{math.ceil(count / 10**digits) * 10**digits:,}"
