"""Gate that rejects a candidate whose gain is too small to be worth a new model."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.ranges import Fraction
from ...core.types import UNITS, Measure, Objection
from .. import metrics
from ..evidence import IN_DECODING, Decoding, Evidence
from ._base import Gate


@dataclass(frozen=True)
class MinimumGain(Gate):
    """Gate against candidates that remove less than a share of the champion's errors."""

    # Relative, since 0.5 points are much at a WER of 5 % and nothing at 50 %.
    at_least: Fraction = 0.05
    """Smallest share of the champion's errors to remove, on all development sets together."""
    measure: Measure | None = None
    """Errors to count: `words`, `characters` or `mixed`; null takes that of the
    development sets, or `mixed` if they differ."""
    decoding: Decoding = "clip"
    """Scores to read: `clip` (each clip in its own context) or `standard` (30 s windows with
    timestamps, as other tools decode)."""

    def objection(self, evidence: Evidence) -> Objection | None:
        # Errors and not rates: both models are scored on the same references.
        pooled = evidence.decoded(self.decoding).pool_development_counts(self.measure)
        before, after = (
            metrics.sum_counts(counts).errors for counts in (pooled.champion, pooled.candidate)
        )
        # Without errors there is nothing to gain, and no reason for a new model.
        gain = 1 - after / before if before else 0.0
        if gain >= self.at_least:
            return None
        return Objection(
            self.name,
            f"{before} -> {after} errors in {UNITS[pooled.measure]} of the development "
            f"sets{IN_DECODING[self.decoding]}, a gain of {gain:.1%}; at least "
            f"{self.at_least:.1%} is required",
        )
