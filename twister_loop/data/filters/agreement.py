"""Filter on the error rate of the transcript against the text (round-trip check)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...core.ranges import Range
from ...core.types import Utterance
from ...evaluation import metrics
from ...evaluation.measures import RATE_NAMES, Unit, choose_filter_measure
from ._base import Filter


@dataclass(frozen=True)
class Agreement(Filter):
    """Drops speech whose transcript differs too much from its text.

    For synthetic speech this is the round-trip check: the champion transcribes what the voice
    made of the text.
    """

    # The default catches gross errors only. A stricter one would drop exactly the sentences that
    # the champion gets wrong, and these are the ones it has to learn.
    at_most: Annotated[float, Range(0, 100)] = 0.35
    """Highest error rate of `pred_text` against `text`, from 0. For synthetic speech it should
    catch gross errors only, or the sentences that teach the champion something are dropped."""
    unit: Unit = "characters"
    """The unit of the error rate: `words` or `characters`. The words of Korean, and of languages
    written without spaces, are their characters."""

    def objection(self, utterance: Utterance) -> str | None:
        # Both texts are normalized: case and punctuation are no errors.
        measure = choose_filter_measure(self.unit, utterance.text or "", utterance.lang)
        error_rate = metrics.count_utterance_errors(utterance, measure).rate
        if error_rate <= self.at_most:
            return None
        return f"{RATE_NAMES[measure]} {error_rate:.2f} > {self.at_most:g}"
