"""N-gram language model with interpolated Kneser-Ney smoothing.

Source: Kneser and Ney (1995) as Chen and Goodman (1999) interpolate it, with one discount per
order. Nothing is pruned; the whole model lies in memory, some hundred bytes per distinct n-gram.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from ..core.types import UNSPACED, Language
from .normalizers.basic import Basic
from .scripts import split_units

NGram = tuple[str, ...]

BEGIN, END = "<s>", "</s>"
DEFAULT_DISCOUNT = 0.5
"""Discount for corpora too small to estimate one, where no n-gram occurs once, or none twice."""


class KneserNey:
    """Language model that returns the probability of a text under a corpus.

    >>> model = KneserNey([["press", "two"], ["press", "one"], ["press", "two"]], order=2)
    >>> model.logprob(["press", "two"]) > model.logprob(["press", "one"])
    True

    Args:
        texts: Texts of the corpus, each as a sequence of words (or characters).
        order: Longest n-gram, in words; 3 is a trigram model.
    """

    def __init__(self, texts: Iterable[Sequence[str]], order: int = 3) -> None:
        self._order = order
        self._counts = _count_ngrams(texts, order)
        self._continuations: dict[NGram, tuple[int, int]] = {}
        """By context: the summed count of its continuations, and how many distinct there are."""
        for ngram, count in self._counts.items():
            total, distinct = self._continuations.get(ngram[:-1], (0, 0))
            self._continuations[ngram[:-1]] = (total + count, distinct + 1)
        self._discounts = [_estimate_discount(self._counts, size) for size in range(1, order + 1)]
        self._vocabulary_size = self._continuations.get((), (0, 0))[1]

    def logprob(self, text: Sequence[str]) -> float:
        """Return the natural logarithm of the probability of all words and the end of text."""
        tokens = [BEGIN, *text, END]
        return sum(
            math.log(
                self.probability(tokens[index], tokens[max(0, index - self._order + 1) : index])
            )
            for index in range(1, len(tokens))
        )

    def probability(self, word: str, context: Sequence[str]) -> float:
        """Return the probability of a word after its context.

        Args:
            word: Next word, or `END`.
            context: Words before it; only the last `order - 1` count.
        """
        # The lowest order is uniform: every word of the vocabulary, and one for all unknown words.
        probability = 1 / (self._vocabulary_size + 1)
        for size in range(min(len(context), self._order - 1) + 1):
            ngram_context = tuple(context[len(context) - size :])
            # No longer context can occur where a shorter suffix of it does not.
            if ngram_context not in self._continuations:
                break
            total, distinct = self._continuations[ngram_context]
            discount = self._discounts[size]
            count = self._counts.get((*ngram_context, word), 0)
            # What the discount takes from seen n-grams goes to the lower order, so all sums to 1.
            backoff = discount * distinct * probability
            probability = (max(count - discount, 0.0) + backoff) / total
        return probability


def split_language_model_units(text: str, lang: Language | None) -> list[str]:
    """Return the units that a language model counts: words, or characters in unspaced scripts.

    Digits are not spelled out, so that the model can score several spellings of a number.
    """
    normalized = Basic(numbers=False).normalize(text, lang)
    if lang not in UNSPACED:
        return normalized.split()
    # A Latin word within Chinese text is one unit; Thai and the like are split into characters.
    return [
        part for unit in split_units(normalized) for part in ([unit] if unit.isascii() else unit)
    ]


def _count_ngrams(texts: Iterable[Sequence[str]], order: int) -> Counter[NGram]:
    """Return frequencies of the longest n-grams, and continuation counts of shorter ones.

    A continuation count is the number of distinct words that precede an n-gram. N-grams at the
    beginning of a text have nothing before them, so they count as often as they occur.
    """
    counts = Counter[NGram]()
    for text in texts:
        tokens = [BEGIN, *text, END]
        counts.update(
            tuple(tokens[max(0, index - order + 1) : index + 1]) for index in range(1, len(tokens))
        )
    longer = {ngram for ngram in counts if len(ngram) == order}
    for size in range(order - 1, 0, -1):
        counts.update(ngram[1:] for ngram in longer)
        longer = {ngram for ngram in counts if len(ngram) == size}
    return counts


def _estimate_discount(counts: Counter[NGram], size: int) -> float:
    """Return n1 / (n1 + 2 n2), the discount of n-grams of one size (Ney et al., 1994)."""
    counts_of_counts = Counter(count for ngram, count in counts.items() if len(ngram) == size)
    once, twice = counts_of_counts[1], counts_of_counts[2]
    return once / (once + 2 * twice) if once and twice else DEFAULT_DISCOUNT
