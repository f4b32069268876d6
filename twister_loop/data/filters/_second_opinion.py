"""What filters share that have speech heard a second time: labels that change are not believed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import tee
from typing import ClassVar

from ...core.types import Share, Utterance
from ...evaluation import metrics
from ._base import Filter, FilterContext

SHOWN = 80
"""Characters of the other text that an objection quotes."""


@dataclass(frozen=True)
class SecondOpinion(Filter):
    needs_context: ClassVar[bool] = True
    at_most: Share = 0.1
    """Error rate of the second text against the first. Distil-Whisper keeps what is within 10 % of
    a human reference, 20 % where speech is scarce; where nobody transcribed, agreement of two
    texts does as well (arXiv 2407.01257)."""
    unit: metrics.Unit = "words"
    """What is counted; the words of languages written without spaces are their characters."""

    @abstractmethod
    def transcribe_again(
        self, speech: Iterable[Utterance], witnesses: FilterContext
    ) -> Iterator[Utterance | None]:
        """Yield every utterance with another `pred_text`, in order; None where there is none."""

    def objection(self, utterance: Utterance) -> str | None:
        return None  # by itself an utterance has only one text

    def objections(
        self, utterances: Iterable[Utterance], context: FilterContext
    ) -> Iterator[str | None]:
        utterances, again = tee(utterances)
        for one, other in zip(utterances, self.transcribe_again(again, context), strict=True):
            yield self._compared(one, other) if other and not one.skip else None

    def _compared(self, one: Utterance, other: Utterance) -> str | None:
        if other.error:
            return f"not heard again: {other.error}"
        first = one.text if one.pred_text is None else one.pred_text
        second = other.pred_text or ""
        error = metrics.count_normalized_errors(first or "", second, one.lang, self.unit).rate
        if error <= self.at_most:
            return None
        unit = self.unit.removesuffix("s")
        return f"also heard as {second[:SHOWN]!r}: {unit} error rate {error:.2f} > {self.at_most:g}"
