"""Drop synthetic speech that does not say its text; keep what is only spelled otherwise.

The text is known, so the champion need not write it: forced through the champion, it is compared
with what the champion wrote. A word that was not spoken is far less likely than what was heard in
its place; a word that the champion merely does not know is nearly as likely as its own spelling,
and it is exactly what it has to learn. What is said beyond the text it sees less well than
`agreement` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import tee
from typing import ClassVar

from ...core.types import Utterance
from ...text.normalizers.basic import Basic
from ._base import Filter, FilterContext


@dataclass(frozen=True)
class Likelihood(Filter):
    needs_context: ClassVar[bool] = True
    at_most: float = 10.0
    """How much less likely the text may be than what was heard, both in their basic form: the
    difference of their natural logarithms. One word replaced or added costs more than 10, however
    long the text is; a spelling of its own mostly less than 10 (BENCHMARKS.md)."""

    def objection(self, utterance: Utterance) -> str | None:
        return None  # by itself it has not been forced

    def objections(
        self, utterances: Iterable[Utterance], context: FilterContext
    ) -> Iterator[str | None]:
        utterances, again = tee(utterances)
        rivals = (each for utterance in again for each in _rivals(utterance))
        scores = context.champion.score(rivals)
        for utterance in utterances:
            yield self._compared(utterance, next(scores), next(scores))

    def _compared(
        self, utterance: Utterance, of_text: float | None, of_heard: float | None
    ) -> str | None:
        text, heard = _basic(utterance)
        if not text or not heard:
            return "nothing was heard" if text else "no text"
        if text == heard:
            return None
        if of_text is None or of_heard is None:
            return "its text is more than the champion can be forced to say"
        if (loss := of_heard - of_text) <= self.at_most:
            return None
        return f"less likely than {heard[:80]!r} by {loss:.1f} > {self.at_most:g}"


def _basic(utterance: Utterance) -> list[str]:
    """Text and what was heard, alike but for their words."""
    normalize = Basic().normalize
    return [normalize(each or "", utterance.lang) for each in (utterance.text, utterance.pred_text)]


def _rivals(utterance: Utterance) -> Iterator[Utterance]:
    """The speech with each of its texts; marked as not to be forced where they are the same."""
    text, heard = _basic(utterance)
    skip = utterance.skip or text == heard
    return (replace(utterance, text=each, skip=skip) for each in (text, heard))
