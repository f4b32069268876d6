"""Refuse a candidate that gained too little to be worth a change of models."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Objection, Share
from .. import metrics
from ..evidence import Evidence, Measure
from ._base import Gate


@dataclass(frozen=True)
class MinimumGain(Gate):
    at_least: Share = 0.05
    """Part of the champion's errors on all development sets together."""
    measure: Measure = "words"

    def objection(self, evidence: Evidence) -> Objection | None:
        new, old, _ = evidence.pool_development_counts(self.measure)
        before, after = metrics.sum_counts(old).errors, metrics.sum_counts(new).errors
        gain = 1 - after / before if before else 0.0
        if gain >= self.at_least:
            return None
        return Objection(
            self.name, f"{before} -> {after} errors, {gain:.1%} won; at least {self.at_least:.1%}"
        )
