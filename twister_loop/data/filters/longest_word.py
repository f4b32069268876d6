"""Filter on the length of the longest word."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Utterance
from ...text.scripts import UNSPACED
from ._base import Filter


@dataclass(frozen=True)
class LongestWord(Filter):
    """Drops texts with an implausibly long word, such as a URL or a decoding error.

    Texts in scripts without spaces are kept, since their words are not separated.
    """

    at_most: int = 25
    """Most letters of a word. 25 is Granary's limit, 35 its limit for agglutinative languages."""

    def __post_init__(self) -> None:
        if self.at_most < 1:
            raise ValueError("at_most: 1 letter at least")

    def objection(self, utterance: Utterance) -> str | None:
        words = (utterance.text or "").split()
        # Where the language is unknown, a single run of letters beyond ASCII may be a whole
        # sentence of a script without spaces.
        unspaced = utterance.lang in UNSPACED or (len(words) == 1 and not words[0].isascii())
        longest = max(words, key=len, default="")
        if unspaced or len(longest) <= self.at_most:
            return None
        return f"a word of {len(longest)} letters: {longest[:40]!r}"  # cut: it may be a kilobyte
