"""Pooling of several sets into one, for rates over all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..core.types import Score, SetKind, TermCount
from .evidence import Outcome
from .measures import find_common_measure

SET_KINDS: tuple[SetKind, ...] = ("development", "test", "retention")

# Fields of a score that add up over sets; all others are taken from the first set.
NUMBER_FIELDS = ("utterances", "duration", "empty", "hit_limit", "fallback")
COUNT_FIELDS = (
    "words",
    "characters",
    "mixed",
    "raw_words",
    "repeated_ngrams",
    "foreign_script",
    "timestamps",
)


def pool_scores(scores: Sequence[Score], name: str) -> Score:
    """Return the scores of several sets as that of one set with a new name.

    Counts are added. The language is left out if the sets differ in it, and the measure is `mixed`
    if they differ in that.
    """
    first = scores[0]
    return replace(
        first,
        name=name,
        lang=first.lang if {score.lang for score in scores} == {first.lang} else None,
        measure=find_common_measure(score.measure for score in scores),
        term_count=_add_term_counts(scores),
        **{field: sum(getattr(score, field) for score in scores) for field in NUMBER_FIELDS},
        **{
            # `sum` begins with 0, which cannot be added to a count of errors.
            field: sum((getattr(score, field) for score in scores[1:]), getattr(first, field))
            for field in COUNT_FIELDS
        },
    )


def _add_term_counts(scores: Sequence[Score]) -> TermCount | None:
    """Return the sum over sets of one measure; None without terms, or if the measures differ."""
    counts = [score.term_count for score in scores if score.term_count]
    # Errors per word and errors per character do not add up.
    if len(counts) < len(scores) or len({score.measure for score in scores}) > 1:
        return None
    return sum(counts, TermCount())


def add_pooled_sets(sets: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """Return the outcomes with a pooled one for every kind that has several sets."""
    with_pooled = dict(sets)
    for kind in SET_KINDS:
        outcomes = [outcome for outcome in sets.values() if outcome.score.kind == kind]
        # A kind with one set would get the same row twice.
        if len(outcomes) > 1:
            name = f"all {kind} sets"
            with_pooled[name] = _pool_outcomes(outcomes, name)
    return with_pooled


def _pool_outcomes(outcomes: Sequence[Outcome], name: str) -> Outcome:
    return Outcome(
        pool_scores([outcome.score for outcome in outcomes], name),
        words=[count for outcome in outcomes for count in outcome.words],
        characters=[count for outcome in outcomes for count in outcome.characters],
        mixed=[count for outcome in outcomes for count in outcome.mixed],
        # Two sets may use the same speaker name for different speakers.
        groups=[
            f"{outcome.score.name}/{group}" for outcome in outcomes for group in outcome.groups
        ],
        resampling_unit=" and ".join(sorted({outcome.resampling_unit for outcome in outcomes})),
    )
