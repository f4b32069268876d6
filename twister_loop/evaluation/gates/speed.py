"""Refuse a candidate that hears more slowly: one that babbles decodes more."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Objection
from ..evidence import Evidence
from ._base import Gate


@dataclass(frozen=True)
class Speed(Gate):
    at_most: float = 1.5
    """How many times as long as the champion the candidate may take for the same sets. Sets whose
    hearing was interrupted do not count. Times vary on a busy machine: leave room."""

    def objection(self, evidence: Evidence) -> Objection | None:
        timed = [
            (before, after)
            for name in evidence.set_names()
            if (before := evidence.champion[name].seconds)
            and (after := evidence.candidate[name].seconds)
        ]
        champion, candidate = (
            (sum(column) for column in zip(*timed, strict=True)) if timed else (0, 0)
        )
        if candidate <= self.at_most * champion:
            return None
        return Objection(
            self.name,
            f"hearing took {candidate:.1f} s, the champion {champion:.1f} s: "
            f"{candidate / champion:.1f} times as long, limit {self.at_most:g}",
        )
