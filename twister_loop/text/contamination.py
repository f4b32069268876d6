"""Detection of training texts that are nearly the same as a held-out text."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable

from ..core.types import UNSPACED, Share, Utterance
from .normalizers.basic import Basic

NEAR_DUPLICATE_SHARE: Share = 0.8
"""Share of words in common at which two texts count as nearly the same."""
MIN_WORDS = 5
"""Shortest text that is compared, in words; shorter ones are common phrases."""
MIN_CHARACTERS_UNSPACED = 8
"""Shortest text that is compared, in characters, in scripts without spaces."""


class HeldOutTexts:
    """Index of held-out texts that finds near duplicates of them.

    Texts are compared as bags of words, or of characters in scripts without spaces, after the
    `basic` normalizer.

    >>> from twister_loop import Utterance
    >>> index = HeldOutTexts([Utterance(id="a", text="please hold the line for me")])
    >>> index.is_near_duplicate(Utterance(id="b", text="please, hold the line for us"))
    True
    """

    def __init__(self, held_out: Iterable[Utterance]) -> None:
        self._lengths: list[int] = []
        self._texts_with_unit: dict[tuple[str, int], list[int]] = defaultdict(list)
        for utterance in held_out:
            units = _numbered_units(utterance)
            for unit in units:
                self._texts_with_unit[unit].append(len(self._lengths))
            if units:
                self._lengths.append(len(units))

    def is_near_duplicate(self, utterance: Utterance) -> bool:
        """Return whether the text shares `NEAR_DUPLICATE_SHARE` of its words with a held-out one.

        The share is of the longer text. Texts below the shortest length are never duplicates.
        """
        units = _numbered_units(utterance)
        posting_lists = sorted(filter(None, map(self._texts_with_unit.get, units)), key=len)
        needed = math.ceil(NEAR_DUPLICATE_SHARE * len(units))
        if not units or len(posting_lists) < needed:
            return False
        # A near duplicate is in at least `needed` of the lists, so it cannot be missing from all
        # of any `len - needed + 1` of them: the shortest ones are enough to find the candidates.
        shortest_lists = posting_lists[: len(posting_lists) - needed + 1]
        shared = dict.fromkeys(itertools.chain.from_iterable(shortest_lists), 0)
        for number in itertools.chain.from_iterable(posting_lists):
            if number in shared:
                shared[number] += 1
        return any(
            count >= NEAR_DUPLICATE_SHARE * max(len(units), self._lengths[number])
            for number, count in shared.items()
        )


def _numbered_units(utterance: Utterance) -> list[tuple[str, int]]:
    """Return words (characters in unspaced scripts) with occurrence numbers; [] if too short."""
    text = Basic().normalize(utterance.text or "", utterance.lang)
    units = text.split()
    # The language may be unknown: long text in one or two "words" that is not ASCII is most
    # likely of a script without spaces.
    looks_unspaced = len(units) <= 2 and not text.isascii() and len(text) > 2 * MIN_WORDS
    if looks_unspaced or utterance.lang in UNSPACED:
        units, min_units = list(text.replace(" ", "")), MIN_CHARACTERS_UNSPACED
    else:
        min_units = MIN_WORDS
    if len(units) < min_units:
        return []
    # Numbers make a repeated word count as often as it occurs: ("ja", 0), ("ja", 1), ...
    occurrences: Counter[str] = Counter()
    numbered = []
    for unit in units:
        numbered.append((unit, occurrences[unit]))
        occurrences[unit] += 1
    return numbered
