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
            with_pooled[name] = pool_outcomes(outcomes, name)
    return with_pooled


def join_parts(outcomes: Mapping[str, Outcome], joined: Mapping[str, str]) -> dict[str, Outcome]:
    """Return outcomes by set, with small parts counted in the set that they belong to.

    Args:
        outcomes: Outcomes by name of the set or part.
        joined: Name of the set by the name of each small part; see `outcomes.find_small_parts`.
    """
    parts_by_set: dict[str, list[Outcome]] = {}
    for name, outcome in outcomes.items():
        parts_by_set.setdefault(joined.get(name, name), []).append(outcome)
    return {
        name: _join(parts, name) if len(parts) > 1 else parts[0]
        for name, parts in parts_by_set.items()
    }


def _join(parts: Sequence[Outcome], name: str) -> Outcome:
    joined = pool_outcomes(parts, name)
    if len({part.resampling_unit for part in parts}) > 1:
        return joined
    # Not so with sets that are pooled: a speaker of both parts is one speaker.
    return replace(joined, groups=[group for part in parts for group in part.groups])


def pool_outcomes(outcomes: Sequence[Outcome], name: str) -> Outcome:
    """Return the utterances of several sets as those of one set with a new name."""
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
        hypotheses=[text for outcome in outcomes for text in outcome.hypotheses],
    )
