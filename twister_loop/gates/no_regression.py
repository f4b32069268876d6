"""Refuse a candidate of which one cannot say that no set got worse: a non-inferiority test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import measure
from ..parts import Evidence, Gate
from ..records import Share


@dataclass(frozen=True)
class NoRegression(Gate):
    at_most: Share = 0.01
    """How much the error rate of a set may rise, absolute: 0.01 is one point."""
    level: Share = 0.95
    """Confidence that the rise is below that, by paired bootstrap, one-sided."""
    measure: str = "words"
    """`words` or `characters`."""

    def objection(self, evidence: Evidence) -> str | None:
        worse = []
        for name in evidence.sets():
            candidate = getattr(evidence.candidate[name], self.measure)
            champion = getattr(evidence.champion[name], self.measure)
            drawn = measure.paired_bootstrap(candidate, champion, evidence.seed)
            upper = float(np.quantile(drawn, self.level))
            if upper > self.at_most:
                change = measure.total(candidate).rate - measure.total(champion).rate
                worse.append(
                    f"{name} may have got worse: {change:+.2%} on {len(champion)} utterances, "
                    f"upper bound {upper:+.2%} > {self.at_most:+.2%}"
                )
        return "; ".join(worse) or None
