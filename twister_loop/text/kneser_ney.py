"""A small n-gram language model: interpolated Kneser-Ney smoothing.

Source: Kneser and Ney (1995) as Chen and Goodman (1999) interpolate it, one discount for every
order. Nothing is pruned; all of it lies in memory, some hundred bytes for every distinct n-gram.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

Gram = tuple[str, ...]

BEGIN, END = "<s>", "</s>"
UNKNOWABLE = 0.5
"""The discount where a corpus is too small to tell: nothing in it occurs once, or nothing twice."""


class KneserNey:
    """How likely a text is to be one of a corpus, by its last few words before each."""

    def __init__(self, texts: Iterable[Sequence[str]], order: int = 3) -> None:
        self._order = order
        self._counts = _counted(texts, order)
        self._followed: dict[Gram, tuple[int, int]] = {}
        """By context: what all that follows it adds up to, and how many different words that is."""
        for gram, count in self._counts.items():
            total, different = self._followed.get(gram[:-1], (0, 0))
            self._followed[gram[:-1]] = (total + count, different + 1)
        self._discounts = [_discount(self._counts, size) for size in range(1, order + 1)]
        self._words = self._followed.get((), (0, 0))[1]

    def logprob(self, text: Sequence[str]) -> float:
        """Natural logarithm of the probability of all words and of the end after them."""
        said = [BEGIN, *text, END]
        return sum(
            math.log(self.probability(said[at], said[max(0, at - self._order + 1) : at]))
            for at in range(1, len(said))
        )

    def probability(self, word: str, before: Sequence[str]) -> float:
        """Of a word after others, of which the last `order - 1` count."""
        found = 1 / (self._words + 1)  # all words alike, and one that stands for all others
        for size in range(min(len(before), self._order - 1) + 1):
            context = tuple(before[len(before) - size :])
            if context not in self._followed:
                break
            total, different = self._followed[context]
            discount, count = self._discounts[size], self._counts.get((*context, word), 0)
            found = (max(count - discount, 0.0) + discount * different * found) / total
        return found


def _counted(texts: Iterable[Sequence[str]], order: int) -> Counter[Gram]:
    """The longest n-grams by how often they occur, shorter ones by how many words precede them.

    What begins a text is preceded by nothing, so it counts as often as it occurs.
    """
    counts = Counter[Gram]()
    for text in texts:
        said = [BEGIN, *text, END]
        counts.update(tuple(said[max(0, at - order + 1) : at + 1]) for at in range(1, len(said)))
    longer = {gram for gram in counts if len(gram) == order}
    for size in range(order - 1, 0, -1):
        counts.update(gram[1:] for gram in longer)
        longer = {gram for gram in counts if len(gram) == size}
    return counts


def _discount(counts: Counter[Gram], size: int) -> float:
    """What every n-gram of this size gives up for those that were not seen (Ney et al., 1994)."""
    of_counts = Counter(count for gram, count in counts.items() if len(gram) == size)
    once, twice = of_counts[1], of_counts[2]
    return once / (once + 2 * twice) if once and twice else UNKNOWABLE
