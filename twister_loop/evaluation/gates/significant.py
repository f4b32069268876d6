"""Gate that rejects a candidate whose gain may be due to chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.types import UNITS, Measure, Objection, Share
from .. import metrics
from ..evidence import IN_DECODING, Decoding, Evidence
from ._base import Gate
from ._noninferiority import InconclusiveChange, check_level


@dataclass(frozen=True)
class Significant(Gate):
    """Gate against candidates whose gain on the development sets is not significant."""

    level: Share = 0.95
    """Confidence that all development sets together got better, by paired bootstrap, one-sided."""
    measure: Measure | None = None
    """Error rate to compare: `words`, `characters` or `mixed`; null takes that of the
    development sets, or `mixed` if they differ."""
    decoding: Decoding = "clip"
    """Scores to read: `clip` (each clip in its own context) or `standard` (30 s windows with
    timestamps, as other tools decode)."""

    def __post_init__(self) -> None:
        check_level(self.level)

    def objection(self, evidence: Evidence) -> Objection | None:
        pooled = evidence.decoded(self.decoding).pool_development_counts(self.measure)
        differences = metrics.paired_bootstrap(
            pooled.candidate, pooled.champion, evidence.seed, groups=pooled.groups
        )
        # One-sided, because only a gain counts and not any difference.
        upper = float(np.quantile(differences, self.level))
        if upper < 0:
            return None
        before = metrics.sum_counts(pooled.champion)
        change = metrics.sum_counts(pooled.candidate).rate - before.rate
        # More speech might show a gain that is too small to tell, but not turn a loss into one.
        if change >= 0:
            return Objection(
                self.name,
                f"no gain: error rate {100 * change:+.2f} points on {before.length} "
                f"{UNITS[pooled.measure]} of the development sets{IN_DECODING[self.decoding]}",
            )
        # A limit of 0: how many more tokens would put the upper bound below no change at all.
        inconclusive = InconclusiveChange(
            name=f"development sets{IN_DECODING[self.decoding]}",
            change=change,
            upper=upper,
            limit=0.0,
            tokens=before.length,
            measure=pooled.measure,
        )
        return Objection(
            self.name, f"the gain may be due to chance: {inconclusive}", inconclusive.undecided
        )
