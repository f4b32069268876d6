"""Filter on the length of the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...core.ranges import Range
from ...core.types import Utterance
from ...text.script_neutral import count_letters
from ._base import Filter


@dataclass(frozen=True)
class TextLength(Filter):
    """Drops texts that are too short or too long for one utterance."""

    at_least: Annotated[int, Range(0, 100000)] = 1
    """Fewest letters, spaces not counted. A Han character, kana or Hangul syllable counts as three
    letters, since it takes as long to say."""
    at_most: Annotated[int, Range(0, 100000)] = 400
    """Most letters. At 13 letters a second, 400 take about the 30 s of Whisper's window."""

    def __post_init__(self) -> None:
        if self.at_least > self.at_most:
            raise ValueError("at_least, at_most: letters, the smaller number first")

    def objection(self, utterance: Utterance) -> str | None:
        # Letters and not words, which some scripts do not separate.
        length = count_letters(utterance.text or "")
        if self.at_least <= length <= self.at_most:
            return None
        return f"{length} letters, not {self.at_least} to {self.at_most}"
