"""One question for several sets: can one say that none got worse by more than a limit?

A non-inferiority test for every set, by paired bootstrap (Bisani and Ney, 2004), and Holm's
correction (1979) over the sets. Where it cannot be said, either a set got worse, or the sets are
too small to say anything: the latter is `undecided`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from .. import measure
from ..parts import Measure, Outcome
from ..records import Objection, Share

DIFFERING = 0.05
"""Part of the words that two models alike in quality hear differently; for looking ahead only.
Whisper base before and after a round: 0.03 on English prompts, 0.09 on Italian ones."""


@dataclass(frozen=True)
class Limit:
    """How much the error rate of a set may rise."""

    at_most: Share
    relative: bool
    level: Share
    measure: Measure

    def of(self, rate: Share) -> Share:
        """In absolute terms, for a set on which the other model has this rate."""
        return self.at_most * rate if self.relative else self.at_most


@dataclass(frozen=True)
class Doubt:
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


def objection(
    gate: str,
    candidate: Mapping[str, Outcome],
    other: Mapping[str, Outcome],
    names: Sequence[str],
    limit: Limit,
    seed: int,
) -> Objection | None:
    """All doubts in one sentence; undecided where no set got worse."""
    doubts = list(_doubts(candidate, other, names, limit, seed))
    if not doubts:
        return None
    return Objection(gate, "; ".join(map(str, doubts)), all(each.undecided for each in doubts))


def foresee(words: Mapping[str, int], limit: Limit) -> Iterator[str]:
    """Sets on which a candidate that is exactly as good as the champion will be undecided."""
    if limit.relative:
        return  # nobody knows the rate yet
    level = 1 - (1 - limit.level) / max(1, len(words))
    needed = (
        DIFFERING * (NormalDist().inv_cdf(level) / limit.at_most) ** 2
        if limit.at_most
        else math.inf
    )
    for name, count in words.items():
        if count < needed:
            yield (
                f"{name} has {count} words: a candidate that is just as good stays undecided at "
                f"the limit of {limit.at_most:+.2%}; about {_rounded(needed)} words would do, or "
                "a gain that outweighs the doubt"
            )


def _doubts(
    candidate: Mapping[str, Outcome],
    other: Mapping[str, Outcome],
    names: Sequence[str],
    limit: Limit,
    seed: int,
) -> Iterator[Doubt]:
    """Holm's way: the clearest set meets the strictest level, and the least clear the plain one."""
    tests = []
    for name in names:
        new, old = candidate[name].counts(limit.measure), other[name].counts(limit.measure)
        drawn = measure.paired_bootstrap(new, old, seed, groups=candidate[name].groups)
        was = measure.total(old)
        allowed = limit.of(was.rate)
        chance = (1 + int((drawn >= allowed).sum())) / (1 + len(drawn))
        doubt = Doubt(name, measure.total(new).rate - was.rate, 0.0, allowed, was.length)
        tests.append((chance, name, doubt, drawn))
    for place, (chance, _, doubt, drawn) in enumerate(sorted(tests, key=lambda each: each[:2])):
        level = (1 - limit.level) / (len(tests) - place)
        if chance > level:
            yield replace(doubt, upper=float(np.quantile(drawn, 1 - level)))


def _rounded(count: float) -> str:
    """Two digits are enough for a guess."""
    if not math.isfinite(count):
        return "endlessly many"
    digits = max(0, len(str(int(count))) - 2)
    return f"{math.ceil(count / 10**digits) * 10**digits:,}"
