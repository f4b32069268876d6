"""Refuse a candidate that one of the untouched models of the plan beats on a development set.

The champion's own origin is one of them; others are named under `references` in the plan. A mean
over sets hides it: in Twister's own table (arXiv 2506.11130) the refined model wins almost
everywhere, and loses FormosaSpeech to an untouched large-v3.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import measure
from ..parts import Evidence, Gate, Measure
from ..records import Objection, Share
from ._noninferiority import Limit, objection


@dataclass(frozen=True)
class BestUntouched(Gate):
    at_most: Share = 0.01
    """How much higher than the best untouched model's the error rate of a set may be: 0.01 is one
    point, or 1 % where `relative`."""
    relative: bool = False
    level: Share = 0.95
    measure: Measure = "words"
    sets: tuple[str, ...] = ()
    """Which to look at; all if none is named."""

    def objection(self, evidence: Evidence) -> Objection | None:
        limit = Limit(self.at_most, self.relative, self.level, self.measure)
        models = [evidence.untouched, *evidence.references.values()]
        names, seed = evidence.sets("development", among=self.sets), evidence.seed
        best = {
            name: min(
                (outcomes[name] for outcomes in models),
                key=lambda each: measure.total(each.counts(self.measure)).rate,
            )
            for name in names
        }
        return objection(self.name, evidence.candidate, best, names, limit, seed)
