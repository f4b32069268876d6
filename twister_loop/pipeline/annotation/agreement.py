"""Agreement of two people who transcribed the same clips without seeing each other's text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...core.counts import ErrorCount
from ...core.types import Language, Utterance
from ...evaluation.measures import choose_measure
from ...evaluation.metrics import AlignmentChunk, alignment_chunks, count_errors
from ...text.normalizers._base import Normalizer
from .decisions import ClipHistory, Decision


@dataclass(frozen=True)
class Disagreement:
    """Clip whose two transcripts differ after normalizing, or of which one person got none."""

    id: str
    first_by: str
    first: str
    second_by: str
    second: str
    chunks: tuple[AlignmentChunk, ...]
    """Both normalized texts, aligned."""
    settled: str | None = None
    """Text that was agreed on since."""


@dataclass(frozen=True)
class Agreement:
    """Agreement of all pairs of transcripts of a set."""

    clips: int
    words: ErrorCount
    """Errors of the second text, with the first one as the reference."""
    characters: ErrorCount
    measure: str
    """Measure that the set is read by: `words`, `characters` or `mixed`."""
    disagreements: tuple[Disagreement, ...]

    @property
    def open(self) -> int:
        """Return the number of disagreements that are not settled."""
        return sum(1 for line in self.disagreements if line.settled is None)


def measure_agreement(
    histories: Mapping[str, ClipHistory], normalizer: Normalizer, lang: Language | None
) -> Agreement | None:
    """Return the agreement over all clips that two people transcribed; None if there are none.

    Args:
        histories: All decisions on the set by clip.
        normalizer: The plan's, so that what no score counts is no disagreement.
        lang: Language of clips that name none.
    """
    words = characters = ErrorCount()
    count, disagreements, texts = 0, list[Disagreement](), list[Utterance]()
    for clip_id, history in histories.items():
        firsts, second = _transcripts(history)
        if not firsts or not second:
            continue
        count += 1
        lang_of_clip = firsts.lang or lang
        first_text, second_text = (
            normalizer.normalize(line.text, lang_of_clip) for line in (firsts, second)
        )
        if firsts.outcome == second.outcome == "accepted":
            words += count_errors(first_text, second_text, "words")
            characters += count_errors(first_text, second_text, "characters")
            texts.append(Utterance(id=clip_id, text=firsts.text, lang=lang_of_clip))
        if first_text != second_text or firsts.outcome != second.outcome:
            last = history.decisions[-1]
            disagreements.append(
                Disagreement(
                    id=clip_id,
                    first_by=firsts.by,
                    first=_describe(firsts),
                    second_by=second.by,
                    second=_describe(second),
                    chunks=tuple(alignment_chunks(first_text, second_text)),
                    settled=last.text if last.outcome == "settled" else None,
                )
            )
    if not count:
        return None
    return Agreement(count, words, characters, choose_measure(texts), tuple(disagreements))


def _transcripts(history: ClipHistory) -> tuple[Decision | None, Decision | None]:
    """Return the transcripts of the first and of the second person, as they were written alone."""
    own = [line for line in history.decisions if line.outcome in ("accepted", "unusable")]
    seconds = [line for line in own if line.second]
    second = seconds[-1] if seconds else None
    if second and not history.transcript_by(second.by, second=True):  # it was withdrawn
        second = None
    firsts = [line for line in own if not line.second and not (second and line.by == second.by)]
    return (firsts[-1] if firsts and history.first else None), second


def _describe(decision: Decision) -> str:
    return decision.text or f"({decision.reason or decision.outcome})"
