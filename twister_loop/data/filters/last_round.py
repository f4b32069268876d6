"""Filter on the agreement with the labels of the last round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ...core.types import Utterance
from ._base import FilterContext
from ._second_opinion import SecondOpinion


@dataclass(frozen=True)
class LastRound(SecondOpinion):
    """Drops speech that the champion of the last round transcribed differently.

    Keeps everything in the first round, and audio that is new since the last round.
    """

    def transcribe_again(
        self, utterances: Iterable[Utterance], context: FilterContext
    ) -> Iterator[Utterance | None]:
        # By id: the id of pool audio comes from its content, so it is the same in every round.
        labels = context.last_labels or ()
        texts = {label.id: label.pred_text for label in labels if not label.error}
        for utterance in utterances:
            text = texts.get(utterance.id)
            yield None if text is None else replace(utterance, pred_text=text)
