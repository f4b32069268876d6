"""Gate that rejects a candidate whose gain may be due to chance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Annotated

import numpy as np

from ...core.ranges import Range
from ...core.types import UNITS, Measure, Objection, Share
from .. import metrics
from ..evidence import IN_DECODING, Decoding, Evidence, SetSize
from ..measures import find_common_measure
from ._base import Gate
from ._noninferiority import ERROR_VARIANCE, InconclusiveChange

POWER = 0.8
"""Share of cases in which a gain of the size that is told before a run is found."""


@dataclass(frozen=True)
class Significant(Gate):
    """Gate against candidates whose gain on the development sets is not significant."""

    level: Annotated[Share, Range(0.5, below=1)] = 0.95
    """Confidence that all development sets together got better, by paired bootstrap, one-sided."""
    measure: Measure | None = None
    """Error rate to compare: `words`, `characters` or `mixed`; null takes that of the
    development sets, or `mixed` if they differ."""
    decoding: Decoding = "clip"
    """Scores to read: `clip` (each clip in its own context) or `standard` (30 s windows with
    timestamps, as other tools decode)."""

    def describe_sight(self, sizes: Mapping[str, SetSize]) -> Iterator[str]:
        """Yield the smallest gain that is found in four of five cases."""
        sets = [size for size in sizes.values() if size.kind == "development"]
        measure = self.measure or find_common_measure(size.measure for size in sets)
        tokens = sum(size.tokens[self.decoding][measure] for size in sets)
        quantiles = NormalDist().inv_cdf(self.level) + NormalDist().inv_cdf(POWER)
        gain = 100 * quantiles * math.sqrt(ERROR_VARIANCE[measure] / max(1, tokens))
        yield (
            f"development sets{IN_DECODING[self.decoding]}, {tokens} {UNITS[measure]}: a true gain "
            f"of about {gain:.1f} points is found in {POWER:.0%} of cases"
        )

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
