"""Drop speech that the champion of the last round heard otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ...core.types import Utterance
from ._base import FilterContext
from ._second_opinion import SecondOpinion


@dataclass(frozen=True)
class LastRound(SecondOpinion):
    """In the first round, and of audio that is new since, nothing can be said."""

    def transcribe_again(
        self, speech: Iterable[Utterance], witnesses: FilterContext
    ) -> Iterator[Utterance | None]:
        labels = witnesses.last_labels or ()
        before = {each.id: each.pred_text for each in labels if not each.error}
        for each in speech:
            text = before.get(each.id)
            yield None if text is None else replace(each, pred_text=text)
