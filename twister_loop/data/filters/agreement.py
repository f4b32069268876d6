"""Drop speech in which the recognizer does not hear the text: the round-trip check."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Share, Utterance
from ...evaluation import metrics
from ._base import Filter


@dataclass(frozen=True)
class Agreement(Filter):
    at_most: Share = 0.35
    """Error rate of `pred_text` against `text`. For synthetic speech it is to catch gross errors
    only, or exactly the sentences that teach the champion something are dropped."""
    unit: metrics.Unit = "characters"
    """What is counted."""

    def objection(self, utterance: Utterance) -> str | None:
        error = metrics.count_utterance_errors(utterance, self.unit).rate
        if error <= self.at_most:
            return None
        return f"{self.unit.removesuffix('s')} error rate {error:.2f} > {self.at_most:g}"
