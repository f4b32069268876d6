"""Refuse a candidate whose gain may be chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import measure
from ..parts import Evidence, Gate
from ..records import Share


@dataclass(frozen=True)
class Significant(Gate):
    level: Share = 0.95
    """Confidence that all development sets together got better, by paired bootstrap, one-sided."""
    measure: str = "words"
    """`words` or `characters`."""

    def objection(self, evidence: Evidence) -> str | None:
        names = evidence.sets("development")
        candidate = [c for n in names for c in getattr(evidence.candidate[n], self.measure)]
        champion = [c for n in names for c in getattr(evidence.champion[n], self.measure)]
        upper = float(
            np.quantile(measure.paired_bootstrap(candidate, champion, evidence.seed), self.level)
        )
        if upper < 0:
            return None
        change = measure.total(candidate).rate - measure.total(champion).rate
        return (
            f"the gain may be chance: {change:+.2%} on {len(champion)} utterances, "
            f"upper bound {upper:+.2%}"
        )
