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
    """Gate against candidates that take longer than a multiple of another model's decoding time."""

    # Well above 1, since times of equal models vary on a busy machine.
    at_most: Annotated[float, Range(above=0, high=1000)] = 1.5
    """Largest ratio of the candidate's decoding time to the champion's, and to the untouched
    model's, over all sets. Sets whose decoding was interrupted do not count."""

    def objection(self, evidence: Evidence) -> Objection | None:
        # The untouched model too, or every round could be a little slower within the limit.
        models = {"champion": evidence.champion, "untouched model": evidence.untouched}
        for model, outcomes in models.items():
            # Only sets that were timed for both models, so that the sums are of the same speech.
            times = [
                (before, after)
                for name in evidence.set_names()
                if (before := outcomes[name].seconds)
                and (after := evidence.candidate[name].seconds)
            ]
            baseline = sum(before for before, _ in times)
            # Without any timed set both sums are 0, and the candidate passes.
            candidate = sum(after for _, after in times)
            if candidate > self.at_most * baseline:
                return Objection(
                    self.name,
                    f"decoding took {candidate:.1f} s, the {model} {baseline:.1f} s: "
                    f"{candidate / baseline:.1f} times as long, limit {self.at_most:g}",
                )
        return None
