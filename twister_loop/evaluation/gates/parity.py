"""Refuse a candidate that another engine, which will serve it, hears by otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...core.types import Objection, Share
from .. import metrics
from ..evidence import Evidence
from ._base import Gate


@dataclass(frozen=True)
class EngineParity(Gate):
    """The same weights through the plan's `labeler`, on the development sets."""

    needs_labeler_report: ClassVar[bool] = True
    at_most: Share = 0.02
    """Character error rate of what the labeler hears, with what the candidate itself hears as the
    reference."""
    sets: tuple[str, ...] = ()
    """Which development sets to look at; all if none is named."""

    def objection(self, evidence: Evidence) -> Objection | None:
        pairs = [
            pair
            for name in evidence.set_names("development", among=self.sets)
            for pair in zip(
                evidence.candidate[name].hypotheses,
                evidence.labeler[name].hypotheses,
                strict=True,
            )
        ]
        apart = metrics.sum_counts([metrics.count_character_errors(*pair) for pair in pairs]).rate
        if apart <= self.at_most:
            return None
        return Objection(
            self.name,
            f"the labeler hears {sum(one != other for one, other in pairs)} of {len(pairs)} clips "
            f"otherwise with the same weights, CER {apart:.2%}, limit {self.at_most:.2%}",
        )
