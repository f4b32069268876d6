"""Gate that rejects a candidate that decodes more slowly, as one that hallucinates does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...core.ranges import Range
from ...core.types import Objection
from ..evidence import Evidence
from ._base import Gate


@dataclass(frozen=True)
class Speed(Gate):
    """Gate against candidates that take longer than a multiple of the champion's decoding time."""

    # Well above 1, since times of equal models vary on a busy machine.
    at_most: Annotated[float, Range(above=0, high=1000)] = 1.5
    """Largest ratio of the candidate's to the champion's decoding time over all sets. Sets whose
    decoding was interrupted do not count."""

    def objection(self, evidence: Evidence) -> Objection | None:
        # Only sets that were timed for both models, so that the sums are over the same speech.
        times = [
            (before, after)
            for name in evidence.set_names()
            if (before := evidence.champion[name].seconds)
            and (after := evidence.candidate[name].seconds)
        ]
        champion = sum(before for before, _ in times)
        # Without any timed set both sums are 0, and the candidate passes.
        candidate = sum(after for _, after in times)
        if candidate <= self.at_most * champion:
            return None
        return Objection(
            self.name,
            f"decoding took {candidate:.1f} s, the champion {champion:.1f} s: "
            f"{candidate / champion:.1f} times as long, limit {self.at_most:g}",
        )
