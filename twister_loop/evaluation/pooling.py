"""Scores of several sets as that of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..core.types import Score


def pool_scores(scores: Sequence[Score], name: str) -> Score:
    """Return the scores of several sets as that of one set with a new name.

    Counts are added; the language is left out if the sets differ in it.
    """
    first = scores[0]
    number_fields = ("utterances", "duration", "empty", "hit_limit", "fallback")
    count_fields = (
        "words",
        "characters",
        "mixed",
        "raw_words",
        "repeated_ngrams",
        "foreign_script",
    )
    return replace(
        first,
        name=name,
        lang=first.lang if {score.lang for score in scores} == {first.lang} else None,
        **{
            field_name: sum(getattr(score, field_name) for score in scores)
            for field_name in number_fields
        },
        **{
            # `sum` begins with 0, which cannot be added to a count of errors.
            field_name: sum(
                (getattr(score, field_name) for score in scores[1:]), getattr(first, field_name)
            )
            for field_name in count_fields
        },
    )
