"""Filter on the length of the longest word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...core.ranges import Range
from ...core.types import Utterance
from ...text.script_neutral import is_unspaced
from ._base import Filter


@dataclass(frozen=True)
class LongestWord(Filter):
    """Drops texts with an implausibly long word, such as a URL or a decoding error.

    Signs that belong to a letter do not count, so that no script has longer words than others.
    Runs of letters of scripts without spaces are kept, since their words are not separated.
    """

    at_most: Annotated[int, Range(1, 10000)] = 35
    """Most letters of a word. 35 is Granary's limit for agglutinative languages, 25 its limit for
    others, which a Danish or German compound exceeds."""

    def objection(self, utterance: Utterance) -> str | None:
        for word in (utterance.text or "").split():
            # Neither marks and vowel signs nor hyphens, but the digits of an endless number.
            letters = sum(map(str.isalnum, word))
            # By the letters of the word, since the language may be unknown or switch.
            if letters > self.at_most and not is_unspaced(word):
                return f"a word of {letters} letters: {word[:40]!r}"  # cut: it may be a kilobyte
        return None
