"""Drop texts with a monster of a word."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Utterance
from ...text.scripts import UNSPACED
from ._base import Filter


@dataclass(frozen=True)
class LongestWord(Filter):
    at_most: int = 25
    """Letters; Granary's, 35 for agglutinative languages. It is not asked of unspaced scripts."""

    def __post_init__(self) -> None:
        if self.at_most < 1:
            raise ValueError("at_most: 1 letter at least")

    def objection(self, utterance: Utterance) -> str | None:
        words = (utterance.text or "").split()
        unspaced = utterance.lang in UNSPACED or (len(words) == 1 and not words[0].isascii())
        longest = max(words, key=len, default="")
        if unspaced or len(longest) <= self.at_most:
            return None
        return f"a word of {len(longest)} letters: {longest[:40]!r}"
