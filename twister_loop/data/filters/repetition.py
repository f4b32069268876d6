"""Filter on repeated words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...core.ranges import Fraction, Range
from ...core.types import Utterance
from ...text.script_neutral import is_unspaced
from ._base import Filter

NGRAM = 3
"""Characters of an n-gram in scripts without spaces."""


@dataclass(frozen=True)
class Repetition(Filter):
    """Drops texts that repeat the same few words, and empty texts."""

    unique_at_least: Fraction = 0.4
    """Smallest share of distinct words among all words, from 0 to 1; in scripts without spaces, of
    distinct character trigrams among all trigrams. 0.4 is Granary's threshold."""
    # "No, no, no" is an answer that people give; only long texts are unlikely to repeat that much.
    min_length: Annotated[int, Range(1, 10000)] = 10
    """Words (or characters) that a text must have for its repetitions to be counted."""

    def objection(self, utterance: Utterance) -> str | None:
        units = (utterance.text or "").casefold().split()
        if not units:
            return "no text"
        if is_unspaced("".join(units)):
            # By the letters, as the language may be unknown. Trigrams, since few characters make
            # up all words: in 30 s of speech over half of the trigrams are distinct, as are words.
            characters = "".join(units)
            units = [characters[start : start + NGRAM] for start in range(len(characters))]
        distinct_share = len(set(units)) / len(units)
        if len(units) >= self.min_length and distinct_share < self.unique_at_least:
            return f"only {distinct_share:.0%} of it is not repetition"
        return None
