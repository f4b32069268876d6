"""Base class of the filters that compare a label with a second transcript."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import tee
from typing import Annotated, ClassVar

from ...core.ranges import Range
from ...core.types import Utterance
from ...evaluation import metrics
from ...evaluation.measures import RATE_NAMES, Unit, choose_filter_measure
from ._base import Filter, FilterContext

QUOTED_CHARACTERS = 80
"""Characters of the second transcript that an objection quotes."""


@dataclass(frozen=True)
class SecondOpinion(Filter):
    """A filter that drops an utterance if a second transcript differs too much from the first.

    Labels that change from one decoding to another are often wrong. Subclasses say where the
    second transcript comes from.
    """

    needs_context: ClassVar[bool] = True
    at_most: Annotated[float, Range(0, 100)] = 0.1
    """Highest error rate of the second transcript against the first, from 0. Distil-Whisper keeps
    what is within 10 % of a human reference, 20 % where speech is scarce; where there is no human
    transcript, the agreement of two transcripts does as well (arXiv 2407.01257)."""
    unit: Unit = "words"
    """The unit of the error rate: `words` or `characters`. The words of Korean, and of languages
    written without spaces, are their characters."""

    @abstractmethod
    def transcribe_again(
        self, utterances: Iterable[Utterance], context: FilterContext
    ) -> Iterator[Utterance | None]:
        """Yield every utterance, in order, with its second transcript in `pred_text`.

        Yields None for an utterance without a second transcript; it is kept.
        """

    def objection(self, utterance: Utterance) -> str | None:
        return None  # needs `objections`: a single utterance has no second transcript

    def objections(
        self, utterances: Iterable[Utterance], context: FilterContext
    ) -> Iterator[str | None]:
        # Not a list: the recognizer reads a window at a time, and `tee` holds no more than that.
        utterances, to_transcribe = tee(utterances)
        second_opinions = self.transcribe_again(to_transcribe, context)
        # Strict: a recognizer that loses an utterance would pair all others wrongly.
        for utterance, second in zip(utterances, second_opinions, strict=True):
            yield self._compare(utterance, second) if second and not utterance.skip else None

    def _compare(self, utterance: Utterance, second: Utterance) -> str | None:
        """Return the objection to an utterance with this second transcript."""
        if second.error:
            return f"no second transcript: {second.error}"
        # Human speech may have a text that no recognizer has transcribed yet.
        text = utterance.text if utterance.pred_text is None else utterance.pred_text
        reference, hypothesis, lang = text or "", second.pred_text or "", utterance.lang
        measure = choose_filter_measure(self.unit, reference, lang)
        error_rate = metrics.count_normalized_errors(reference, hypothesis, lang, measure).rate
        if error_rate <= self.at_most:
            return None
        return (
            f"also transcribed as {hypothesis[:QUOTED_CHARACTERS]!r}: "
            f"{RATE_NAMES[measure]} {error_rate:.2f} > {self.at_most:g}"
        )
