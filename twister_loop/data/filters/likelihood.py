"""Filter on how likely the champion finds the text, compared with its own transcript.

The text of synthetic speech is known, so the champion need not write it: the text is scored by
forced decoding, and compared with the transcript. A word that was not spoken is far less likely
than the words transcribed in its place. A word that the champion merely does not know is nearly as
likely as its misspelling, and it is exactly what the champion has to learn. Speech beyond the end
of the text is found less well than by `agreement`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import tee
from typing import Annotated, ClassVar

from ...core.ranges import Range
from ...core.types import Utterance
from ...text.normalizers.basic import Basic
from ._base import Filter, FilterContext


@dataclass(frozen=True)
class Likelihood(Filter):
    """Drops synthetic speech that does not say its text; keeps what is only spelled differently.

    Also drops utterances without a text, with an empty transcript, or with a text that the
    champion cannot be forced to decode, such as one that is too long.
    """

    needs_context: ClassVar[bool] = True
    at_most: Annotated[float, Range(0, 100000)] = 10.0
    """Largest difference of the natural log-probabilities of transcript and text, both in their
    basic form. One word replaced or added costs more than 10, however long the text is; a
    different spelling mostly costs less than 10 (BENCHMARKS.md)."""

    def objection(self, utterance: Utterance) -> str | None:
        return None  # needs `objections`: the champion has to score the text

    def objections(
        self, utterances: Iterable[Utterance], context: FilterContext
    ) -> Iterator[str | None]:
        utterances, to_score = tee(utterances)
        # Text and transcript follow each other, so that both are scored in one batch.
        scores = context.champion.score(
            variant for utterance in to_score for variant in _text_and_transcript(utterance)
        )
        for utterance in utterances:
            yield self._compare(utterance, next(scores), next(scores))

    def _compare(
        self, utterance: Utterance, text_logprob: float | None, transcript_logprob: float | None
    ) -> str | None:
        """Return the objection to an utterance whose text and transcript have these scores."""
        text, transcript = _normalize(utterance)
        if not text or not transcript:
            return "the transcript is empty" if text else "no text"
        if text == transcript:
            return None
        if text_logprob is None or transcript_logprob is None:
            return "the champion cannot be forced to decode its text"
        if (difference := transcript_logprob - text_logprob) <= self.at_most:
            return None
        return f"less likely than {transcript[:80]!r} by {difference:.1f} > {self.at_most:g}"


def _normalize(utterance: Utterance) -> tuple[str, str]:
    """Return the basic forms of text and transcript, which then differ in their words only."""
    # Case and punctuation are not spoken, but their tokens would change the scores.
    normalize = Basic().normalize
    return (
        normalize(utterance.text or "", utterance.lang),
        normalize(utterance.pred_text or "", utterance.lang),
    )


def _text_and_transcript(utterance: Utterance) -> Iterator[Utterance]:
    """Yield the utterance with its text and with its transcript as the text to score."""
    text, transcript = _normalize(utterance)
    # Equal texts need no scores; the utterance stays in the stream to keep the pairs in step.
    skip = utterance.skip or text == transcript
    for candidate in (text, transcript):
        yield replace(utterance, text=candidate, skip=skip)
