"""Refuse a candidate of which one cannot say that it retained what the untouched model knew.

Against the untouched model and not the champion: else every round may lose a little, and after
many of them all is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..parts import Evidence, Gate, Measure
from ..records import Objection, SetKind, Share
from ._noninferiority import Limit, foresee, objection


@dataclass(frozen=True)
class Retention(Gate):
    at_most: Share = 0.01
    """How much the error rate of a retention set may rise over all rounds: 0.01 is one point, or
    1 % where `relative`."""
    relative: bool = False
    """Whether the limit is a part of the untouched model's error rate."""
    level: Share = 0.95
    """Confidence that the rise is below the limit on every set, one-sided, corrected by Holm."""
    measure: Measure = "words"
    sets: tuple[str, ...] = ()
    """Which to look at; all if none is named."""

    def objection(self, evidence: Evidence) -> Objection | None:
        limit = Limit(self.at_most, self.relative, self.level, self.measure)
        names, seed = evidence.sets("retention", among=self.sets), evidence.seed
        return objection(self.name, evidence.candidate, evidence.untouched, names, limit, seed)

    def foresee(self, sets: Mapping[str, tuple[SetKind, int]]) -> Iterator[str]:
        limit = Limit(self.at_most, self.relative, self.level, self.measure)
        chosen = {
            name: words
            for name, (kind, words) in sets.items()
            if kind == "retention" and name in (self.sets or sets)
        }
        yield from foresee(chosen, limit)
