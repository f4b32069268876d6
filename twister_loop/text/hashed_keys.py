"""Hashes of words and letter n-grams of many texts at once, and an index of texts by such hashes.

Texts are folded: words between single spaces (see `comparison_form`). Hashes are 64 bits, so that
two keys among millions have the same one by accident about never.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int64]
_FACTORS = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F
"""Odd numbers without a pattern in their bits: 2**64 over the golden ratio, a prime of xxHash."""
_SPACE, _END = ord(" "), ord("\n")


@dataclass(frozen=True)
class Keys:
    """Hashes with the number of the text that each is of."""

    hashes: Hashes
    """Shape (keys,)."""
    texts: Numbers
    """Shape (keys,)."""

    @staticmethod
    def join(*keys: Keys) -> Keys:
        return Keys(
            np.concatenate([part.hashes for part in keys]),
            np.concatenate([part.texts for part in keys]),
        )

    def select(self, mask: NDArray[np.bool_] | Numbers) -> Keys:
        return Keys(self.hashes[mask], self.texts[mask])

    def distinct(self) -> Keys:
        """Return each key of a text once, sorted by text."""
        order = np.lexsort((self.hashes, self.texts))
        keys = self.select(order)
        is_new = np.ones(len(order), bool)
        is_new[1:] = (np.diff(keys.texts) != 0) | (keys.hashes[1:] != keys.hashes[:-1])
        return keys.select(is_new)

    def rare(self, common: int, at_least: int) -> Keys:
        """Return the keys that at most `common` texts have, or `at_least` so many of each text."""
        keys = self.distinct()
        _, inverse, counts = np.unique(keys.hashes, return_inverse=True, return_counts=True)
        frequency = counts[inverse]
        order = np.lexsort((frequency, keys.texts))
        texts = keys.texts[order]
        first_places = np.flatnonzero(np.diff(texts, prepend=-1))  # of each text
        sizes = np.diff(first_places, append=len(texts))
        rank = np.arange(len(texts)) - np.repeat(first_places, sizes)
        return keys.select(order[(frequency[order] <= common) | (rank < at_least)])


class Letters:
    """Letters of texts in one row, without the spaces."""

    def __init__(self, folded: Sequence[str]) -> None:
        row = "\n".join(folded) + "\n"
        codes = np.frombuffer(row.encode("utf-32-le"), np.uint32)
        is_letter = (codes != _SPACE) & (codes != _END)
        self._letters = codes[is_letter].astype(np.uint64)
        self._texts = np.cumsum(codes == _END, dtype=np.int64)[is_letter]
        self._words = np.cumsum(~is_letter, dtype=np.int64)[is_letter]

    def words(self) -> Keys:
        """Return the hashes of all words."""
        if not len(self._words):
            return Keys(self._letters, self._texts)
        first_places = np.flatnonzero(np.diff(self._words, prepend=-1))
        sizes = np.diff(first_places, append=len(self._words))
        places = np.arange(len(self._words)) - np.repeat(first_places, sizes)
        mixed = _mix(self._letters * np.uint64(_FACTORS[0]) + places.astype(np.uint64))
        return Keys(_mix(np.add.reduceat(mixed, first_places)), self._texts[first_places])

    def grams(self, size: int, step: NDArray[np.int64] | None = None) -> Keys:
        """Return the hashes of all n-grams of letters, across words too.

        Args:
            size: Letters of an n-gram.
            step: For each text, between which places n-grams are taken; None takes all.
        """
        count = len(self._letters) - size + 1
        if count <= 0:
            return Keys(self._letters[:0], self._texts[:0])
        hashes = np.zeros(count, np.uint64)
        for place in range(size):
            hashes = hashes * np.uint64(_FACTORS[1]) + self._letters[place : place + count]
        mask = self._texts[:count] == self._texts[size - 1 :]
        if step is not None:
            first_places = np.searchsorted(self._texts, np.arange(len(step)))
            texts = self._texts[:count]
            mask &= (np.arange(count) - first_places[texts]) % step[texts] == 0
        return Keys(_mix(hashes[mask]), self._texts[:count][mask])

    def reaches_into_another_word(self, size: int) -> NDArray[np.bool_]:
        """Return for each of the n-grams of a size whether it has letters of two words."""
        last = self._words[size - 1 :]
        first = self._words[: len(last)]
        in_one_text = self._texts[: len(last)] == self._texts[size - 1 :]
        return np.asarray((first != last)[in_one_text])


def bags(words: Keys, count: int, smallest: int, largest: int) -> Keys:
    """Return hashes of all words of a text in any order, and of all words but one.

    Two texts of `largest` words at most that have all words but one in common have such a hash in
    common.

    Args:
        words: Words of `count` texts.
        count: Number of texts.
        smallest: Words of the shortest texts that have such hashes.
        largest: Words of the longest ones.
    """
    sums = np.zeros(count, np.uint64)
    np.add.at(sums, words.texts, words.hashes)
    sizes = np.bincount(words.texts, minlength=count)
    has_bag = (sizes >= smallest) & (sizes <= largest)
    inner = words.select(has_bag[words.texts])
    texts = np.flatnonzero(has_bag)
    without_one = Keys(sums[inner.texts] - inner.hashes, inner.texts)
    return Keys.join(Keys(sums[texts], texts), without_one)


class Postings:
    """Index from hashes to the numbers of the texts that have them."""

    def __init__(self, keys: Keys) -> None:
        keys = keys.select(np.argsort(keys.hashes, kind="stable"))
        self._hashes, self._texts = keys.hashes, keys.texts
        # The first bits are the place in a table with about as many places as there are keys.
        bits = min(max(len(keys.hashes).bit_length(), 8), 26)
        self._shift = np.uint64(64 - bits)
        places = np.arange(2**bits, dtype=np.uint64) << self._shift
        self._first = np.append(np.searchsorted(keys.hashes, places), len(keys.hashes))

    def find(self, keys: Keys, size: int, at_least: int) -> tuple[Numbers, Numbers, Numbers]:
        """Return pairs of a text of `keys` and an indexed one that share so many keys.

        Args:
            keys: Keys of other texts.
            size: Number of indexed texts.
            at_least: Number of keys that they have in common, repeated ones each time.

        Returns:
            Numbers of texts of `keys`, of indexed texts, and of keys in common, each of shape
            (pairs,); the first ones are sorted, and of each its best matches come first.
        """
        places = (keys.hashes >> self._shift).astype(np.int64)
        begins, ends = self._first[places], self._first[places + 1]
        occupied = np.flatnonzero(ends > begins)
        begins, lengths = begins[occupied], (ends - begins)[occupied]
        # All places between begin and end of each, in one row.
        starts = np.cumsum(lengths) - lengths
        entries = np.arange(lengths.sum()) + np.repeat(begins - starts, lengths)
        owners = np.repeat(occupied, lengths)
        same = self._hashes[entries] == keys.hashes[owners]
        pairs = keys.texts[owners[same]] * size + self._texts[entries[same]]
        pairs, counts = np.unique(pairs, return_counts=True)
        frequent = counts >= at_least
        pairs, counts = pairs[frequent], counts[frequent]
        texts, indexed = np.divmod(pairs, max(size, 1))
        order = np.lexsort((-counts, texts))
        return texts[order], indexed[order], counts[order]


def _mix(hashes: Hashes) -> Hashes:
    """Return hashes in which every bit depends on all bits (the last steps of MurmurHash 3)."""
    for _ in range(2):
        hashes = (hashes ^ (hashes >> np.uint64(32))) * np.uint64(_FACTORS[0])
    return np.asarray(hashes ^ (hashes >> np.uint64(29)))
