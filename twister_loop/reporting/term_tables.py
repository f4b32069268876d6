"""Recall of key terms as rows of text, for tables, the model card and messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..core.types import Measure, Proportion
from ..evaluation.scoreboard import RateDifference
from ..evaluation.term_scores import ModelTerms, TermScores
from .decodings import DECODING_NAMES, format_interval, format_rate

TERM_COLUMNS = ("set", "decoding", "model", "terms recalled", "errors on other words, %")
TERMS_EXPLAINED = (
    "Terms recalled: occurrences of the plan's terms in the references that the transcript has at "
    "that place. Other words: everything else, and all that was inserted."
)
NO_TERMS = "no term occurs"


def term_rows(term_scores: Sequence[TermScores]) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield a row for every model, and for the candidate's change from the untouched model."""
    for scores in term_scores:
        place = (f"{scores.set_name} ({scores.kind})", DECODING_NAMES[scores.decoding])
        if not scores.occurrences:
            # A recall of nothing would look like a recall of 0 %.
            yield *place, "", NO_TERMS, ""
            continue
        # The same order of models as in the tables of error rates.
        for model, counted in scores.models.items():
            yield *place, model, format_recall(counted), format_others(counted, scores.measure)
        if change := scores.changes.get("untouched"):
            yield *place, "change", change.recall.in_points(), change.others.in_points()


def format_recall(counted: ModelTerms) -> str:
    """Return recalled and all occurrences, with the share and its 95 % interval.

    >>> from ..core.types import ErrorCount
    >>> from ..evaluation.scoreboard import Interval
    >>> others, unsure = ErrorCount(hits=9), Interval(0, 0)
    >>> format_recall(ModelTerms(Proportion(3, 4), Interval(0.3, 0.95), others, unsure))
    '3 of 4, 75.0 % (30.0-95.0)'
    """
    interval = format_interval(counted.recall_interval)
    return f"{format_proportion(counted.recall)} ({interval})"


def format_proportion(recall: Proportion) -> str:
    """Return a count, its total and the share in percent."""
    return f"{recall.count} of {recall.total}, {100 * recall.share:.1f} %"


def format_others(counted: ModelTerms, measure: Measure) -> str:
    """Return the error rate on other words with its name and interval."""
    rate = format_rate(counted.others, measure)
    return f"{rate} ({format_interval(counted.others_interval)})"


def format_terms(scores: TermScores | None, model: str) -> tuple[str, str]:
    """Return recall and errors on other words of a model on a set; empty if not counted there."""
    # Several sets together have no recall of their own, as their measures may differ.
    counted = scores.models.get(model) if scores else None
    if scores is None or counted is None:
        return "", ""
    if not scores.occurrences:
        return NO_TERMS, ""
    return format_recall(counted), format_others(counted, scores.measure)


def describe_terms(term_scores: Sequence[TermScores]) -> Iterator[str]:
    """Yield a line for every set and decoding: recall of all models, and both changes."""
    for scores in term_scores:
        head = f"terms of {scores.set_name} ({scores.kind}), {DECODING_NAMES[scores.decoding]}:"
        if not scores.occurrences:
            yield f"{head} {NO_TERMS}"
            continue
        recalls = ", ".join(
            f"{model} {format_proportion(counted.recall)}"
            for model, counted in scores.models.items()
        )
        change = scores.changes.get("untouched")
        yield f"{head} {recalls}{_format_change(change.recall, change.others) if change else ''}"


def _format_change(recall: RateDifference, others: RateDifference) -> str:
    return f"; against untouched {recall.in_points()}, other words {others.in_points()} points"
