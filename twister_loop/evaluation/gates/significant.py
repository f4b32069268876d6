"""Refuse a candidate whose gain may be chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.types import Objection, Share
from .. import metrics
from ..evidence import Evidence, Measure
from ._base import Gate
from ._noninferiority import InconclusiveChange


@dataclass(frozen=True)
class Significant(Gate):
    level: Share = 0.95
    """Confidence that all development sets together got better, by paired bootstrap, one-sided."""
    measure: Measure = "words"

    def objection(self, evidence: Evidence) -> Objection | None:
        new, old, groups = evidence.pool_development_counts(self.measure)
        drawn = metrics.paired_bootstrap(new, old, evidence.seed, groups=groups)
        upper = float(np.quantile(drawn, self.level))
        if upper < 0:
            return None
        was = metrics.sum_counts(old)
        change = metrics.sum_counts(new).rate - was.rate
        if change >= 0:
            return Objection(self.name, f"no gain: {change:+.2%} on {was.length} words")
        doubt = InconclusiveChange("development", change, upper, 0.0, was.length)
        return Objection(self.name, f"the gain may be chance: {doubt}", doubt.undecided)
