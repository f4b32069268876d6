"""Held-out speech and texts must not be trained on: the rule, and how nearness is decided."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable

from ..core.types import Share, Utterance
from .normalizers.basic import Basic
from .scripts import UNSPACED

NEAR_DUPLICATE_SHARE: Share = 0.8
"""Share of the words in common from which on two texts are nearly the same."""
MIN_WORDS = 5
"""Words; shorter texts are said by everybody."""
MIN_CHARACTERS_UNSPACED = 8
"""Characters, in scripts without spaces."""


class HeldOutTexts:
    """Knows the texts of held-out speech, and finds what equals or nearly equals one of them."""

    def __init__(self, held_out: Iterable[Utterance]) -> None:
        self._lengths: list[int] = []
        self._having: dict[tuple[str, int], list[int]] = defaultdict(list)
        for utterance in held_out:
            units = _units(utterance)
            for unit in units:
                self._having[unit].append(len(self._lengths))
            if units:
                self._lengths.append(len(units))

    def is_near_duplicate(self, utterance: Utterance) -> bool:
        """Whether the text shares at least `NEAR` of its words with a held-out one."""
        units = _units(utterance)
        known = sorted(filter(None, map(self._having.get, units)), key=len)
        needed = math.ceil(NEAR_DUPLICATE_SHARE * len(units))
        if not units or len(known) < needed:
            return False
        # Whoever shares so many words also shares one of these, the rarest.
        rare = known[: len(known) - needed + 1]
        shared = dict.fromkeys(itertools.chain.from_iterable(rare), 0)
        for number in itertools.chain.from_iterable(known):
            if number in shared:
                shared[number] += 1
        return any(
            count >= NEAR_DUPLICATE_SHARE * max(len(units), self._lengths[number])
            for number, count in shared.items()
        )


def _units(utterance: Utterance) -> list[tuple[str, int]]:
    """Words (characters in unspaced scripts), each numbered by its occurrence; [] if too short."""
    text = Basic().normalize(utterance.text or "", utterance.lang)
    words = text.split()
    unspaced = len(words) <= 2 and not text.isascii() and len(text) > 2 * MIN_WORDS
    if unspaced or utterance.lang in UNSPACED:
        words, enough = list(text.replace(" ", "")), MIN_CHARACTERS_UNSPACED
    else:
        enough = MIN_WORDS
    if len(words) < enough:
        return []
    seen: Counter[str] = Counter()
    units = []
    for word in words:
        units.append((word, seen[word]))
        seen[word] += 1
    return units
