"""Drop texts that say the same over and over."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Share, Utterance
from ...text.scripts import UNSPACED
from ._base import Filter


@dataclass(frozen=True)
class Repetition(Filter):
    unique_at_least: Share = 0.4
    """Distinct words over words (distinct characters where a script has no spaces); 0.4 is
    Granary's, asked only of texts long enough to tell."""
    ask_from: int = 10
    """Words (or characters) below which a text may repeat itself."""

    def objection(self, utterance: Utterance) -> str | None:
        text = (utterance.text or "").casefold()
        words = text.split()
        if not words:
            return "no text"
        unspaced = utterance.lang in UNSPACED or (len(words) == 1 and not text.isascii())
        units = list("".join(words)) if unspaced else words
        unique = len(set(units)) / len(units)
        if len(units) >= self.ask_from and unique < self.unique_at_least:
            return f"only {unique:.0%} of it is not repetition"
        return None
