"""Filter on repeated words."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Share, Utterance
from ...text.scripts import UNSPACED
from ._base import Filter


@dataclass(frozen=True)
class Repetition(Filter):
    """Drops texts that repeat the same few words, and empty texts."""

    unique_at_least: Share = 0.4
    """Smallest share of distinct words among all words, from 0 to 1; distinct characters in
    scripts without spaces. 0.4 is Granary's threshold."""
    # "No, no, no" is an answer that people give; only long texts are unlikely to repeat that much.
    min_length: int = 10
    """Words (or characters) that a text must have for its repetitions to be counted."""

    def objection(self, utterance: Utterance) -> str | None:
        text = (utterance.text or "").casefold()
        words = text.split()
        if not words:
            return "no text"
        # The language may be unknown: a single run of letters beyond ASCII has no spaces either.
        unspaced = utterance.lang in UNSPACED or (len(words) == 1 and not text.isascii())
        units = list("".join(words)) if unspaced else words
        distinct_share = len(set(units)) / len(units)
        if len(units) >= self.min_length and distinct_share < self.unique_at_least:
            return f"only {distinct_share:.0%} of it is not repetition"
        return None
