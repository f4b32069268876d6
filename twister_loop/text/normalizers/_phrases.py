"""Words of numbers by their parts and in phrases, whatever the language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from functools import lru_cache

Phrase = tuple[str, ...]


class PhraseTable:
    """Phrases and what replaces them."""

    def __init__(self, replacements: Mapping[Phrase, Phrase]) -> None:
        self.replacements = replacements
        self.first_words = frozenset(phrase[0] for phrase in replacements)
        self.lengths = sorted({len(phrase) for phrase in replacements}, reverse=True)

    def replace(self, words: Sequence[str], unless_after: Set[str] = frozenset()) -> list[str]:
        """Replace phrases, the longest that begins at a word, except after some words."""
        if self.first_words.isdisjoint(words):
            return list(words)
        replaced: list[str] = []
        index = 0
        while index < len(words):
            length = 0
            if words[index] in self.first_words and unless_after.isdisjoint(replaced[-1:]):
                length = self._find_length(words[index : index + self.lengths[0]])
            replaced += self.replacements[tuple(words[index : index + length])] if length else ()
            replaced += () if length else words[index : index + 1]
            index += length or 1
        return replaced

    def _find_length(self, words: Sequence[str]) -> int:
        return next((n for n in self.lengths if tuple(words[:n]) in self.replacements), 0)


def read_variants(pairs: str) -> dict[str, str]:
    """Read "canonical:variant,variant ..." by variant."""
    return {
        variant: canonical
        for pair in pairs.split()
        for canonical, _, variants in [pair.partition(":")]
        for variant in variants.split(",")
    }


@lru_cache(maxsize=1 << 14)
def split_parts(word: str, parts: frozenset[str]) -> Phrase:
    """Return a word as a sequence of parts, longer ones first; empty if it has others.

    >>> split_parts("duemila", frozenset(("due", "mila")))
    ('due', 'mila')
    """
    # Longer words are no numbers, and each step may call itself several times.
    if len(word) > 100:
        return ()
    if word in parts:
        return (word,)
    for end in range(len(word) - 1, 0, -1):
        if word[:end] in parts and (rest := split_parts(word[end:], parts)):
            return (word[:end], *rest)
    return ()


def attach(prefix: str, words: Sequence[str]) -> list[str]:
    """Write a conjunction together with the word after it."""
    attached: list[str] = []
    for word in words:
        if attached and attached[-1] == prefix:
            attached[-1] += word
        else:
            attached.append(word)
    return attached
