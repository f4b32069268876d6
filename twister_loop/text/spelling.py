"""Words as they are spelled: which are known, and which one a misspelled word may be."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from pathlib import Path

from ..core.errors import ConfigError
from ..core.types import Language, Share
from .normalizers.basic import Basic

SHORTEST = 4
"""Letters; shorter words are like too many others."""
CLOSEST = 20
"""Words that share the most pairs of letters, and are looked at in earnest."""


class Spellings:
    """Finds the word of the texts that a word may be meant to be."""

    def __init__(self, words: set[str], lexicon: set[str], similarity: Share) -> None:
        self._known, self._similarity = words | lexicon, similarity
        self._having = defaultdict[str, list[str]](list)
        for word in sorted(words):
            for pair in _pairs(word):
                self._having[pair].append(word)

    def of(self, word: str) -> tuple[str, float] | None:
        """The most similar word and how similar it is; None for what is a word itself."""
        if len(word) < SHORTEST or word in self._known or any(map(str.isdigit, word)):
            return None
        shared = Counter(near for pair in _pairs(word) for near in self._having.get(pair, ()))
        looked_at = [near for near, _ in shared.most_common(CLOSEST)]
        alike = [(difflib.SequenceMatcher(None, word, near).ratio(), near) for near in looked_at]
        found = max(alike, default=(0.0, ""))
        return (found[1], found[0]) if found[0] >= self._similarity else None


def lexicon_of(path: Path | None) -> set[str]:
    """Raises ConfigError where it cannot be read."""
    if path is None:
        return set()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as cause:
        raise ConfigError(f"{path}: no lexicon that can be read ({cause})") from cause
    return {line.strip().casefold() for line in lines}


def split_words(text: str | None, lang: Language | None) -> list[str]:
    """Words between spaces."""
    return [word for token in (text or "").split() if (word := normalize_word(token, lang))]


def normalize_word(token: str, lang: Language | None) -> str:
    """The form in which words are looked up: `L'Utente,` is `l'utente`."""
    return Basic(numbers=False).normalize(token, lang).replace(" ", "'")


def _pairs(word: str) -> set[str]:
    return {word[at : at + 2] for at in range(len(word) - 1)}
