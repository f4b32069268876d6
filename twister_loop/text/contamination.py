"""Detection of training texts that are nearly the same as a held-out text, hold it, or are a part.

Texts are compared in the form of `comparison_form`, and near ones also as normalizers read them.
Candidates come from an index of rare words and letter n-grams; rapidfuzz compares them.
"""

from __future__ import annotations

import math
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import LCSseq, Levenshtein
from rapidfuzz.fuzz import partial_ratio

from ..core.types import Share, Utterance
from .comparison_form import (
    MIN_LETTERS,
    MIN_WORDS,
    count_comparison_letters,
    fold_for_comparison,
    is_too_short,
    is_written_without_spaces,
)
from .hashed_keys import Keys, Letters, Numbers, Postings, bags
from .normalizers._base import Normalizer
from .normalizers.basic import Basic

SHARED_WORDS: Share = 0.8
"""Share of words in common, in any order, at which two texts are nearly the same; of characters in
scripts without spaces."""
SHARED_WORDS_IN_ORDER: Share = 2 / 3
"""The same for words in the same order."""
SIMILAR_LETTERS: Share = 0.75
"""1 - edit distance / length at which two texts are nearly the same, in letters without spaces."""
SIMILAR_LETTERS_OF_FEW_WORDS: Share = 0.9
"""The same for texts under `MIN_WORDS` words, in which one word is much of the text."""
CONTAINED_LETTERS = 88.0
"""Percentage of a text's letters at which a longer one holds it (`rapidfuzz.fuzz.partial_ratio`)"""
PART: Share = 0.75
"""Share of a held-out text that is a long part of it."""
LONG_RUN = 40
"""Letters, some eight words, that are a long part of a held-out text of any length."""
COMMON = 30
"""Held-out texts that may share a word or letter n-gram that is indexed as a rare one."""
MIN_KEYS = 8
"""Words and n-grams that are indexed of every text, its rarest ones, also where all are common."""
GRAM, GRAM_UNSPACED = 5, 3
LONG_GRAM, LONG_GRAM_UNSPACED = 12, 4
LONG_WORDS = 12
"""Letters of an average word from which n-grams within words are indexed too."""
SMALLEST_BAG, LARGEST_BAG = 5, 9
"""Words of texts that are found by all of their words but one: few of them may be rare."""
MAX_CANDIDATES = 100
"""Held-out texts that one text is compared with: those that share the most rare words and letters.
Only among thousands of sentences of one pattern there are more."""
MAX_LENGTH_RATIO = 1.6
"""Quotient of the lengths of two texts, in letters and spaces, that may be nearly the same: under
3 / 2 in words."""
SHORT = 45
"""Letters and spaces of a text that may share two rare words or n-grams only with one that is
nearly the same; longer ones share more."""
BATCH = 2_000
"""Texts that are looked up at once."""
_READ_ALOUD = re.compile(r"[\d%‰°€$£¥§½¼¾²³№]")
"""Signs that normalizers may read aloud."""
_EPSILON = 1e-4  # rapidfuzz drops what is exactly at its limit, when rounding is against it


class HeldOutTexts:
    """Index of held-out texts that finds what is too near to them to be trained on.

    A text is too near to a held-out one if they share most of their words or letters, if it holds
    the held-out text, or if it is or holds a long part of it.

    >>> from twister_loop import Utterance
    >>> index = HeldOutTexts([Utterance(id="a", text="please hold the line for me")])
    >>> index.is_near_duplicate(Utterance(id="b", text="Okay. Please, hold the line for us"))
    True
    """

    def __init__(self, held_out: Iterable[Utterance], normalizer: Normalizer | None = None) -> None:
        """Index the texts of held-out utterances.

        Args:
            held_out: Utterances with references.
            normalizer: The plan's, in whose form texts are compared too.
        """
        self.texts: list[str] = []
        """The held-out texts as they were written."""
        self._normalizers = list(dict.fromkeys([normalizer or Basic(), Basic()]))
        self._short_texts = defaultdict[str, list[int]](list)
        spellings: dict[bool, list[str]] = {False: [], True: []}  # by whether they are unspaced
        numbers: dict[bool, list[int]] = {False: [], True: []}
        for number, utterance in enumerate(held_out):
            self.texts.append(utterance.text or "")
            folded = fold_for_comparison(self.texts[-1])
            for spelling in dict.fromkeys((folded, *self._normalize(utterance))):
                if is_too_short(spelling):
                    # Clips without speech have an empty text, which says nothing of another one.
                    if letters := spelling.replace(" ", ""):
                        self._short_texts[letters].append(number)
                else:
                    unspaced = is_written_without_spaces(spelling)
                    spellings[unspaced].append(spelling)
                    numbers[unspaced].append(number)
        self._indexes = [
            _SpellingIndex(spellings[unspaced], numbers[unspaced], unspaced)
            for unspaced in (False, True)
        ]

    def is_near_duplicate(self, utterance: Utterance) -> bool:
        """Return whether the text is too near to a held-out text; one that is short never is."""
        return any(self.find_near_duplicates([utterance]))

    def find_near_duplicates(self, utterances: Iterable[Utterance]) -> Iterator[set[int]]:
        """Yield for every utterance the numbers of the held-out texts that it is too near to.

        The held-out texts are counted from 0. Looking up many utterances takes a fraction of the
        time of as many calls.
        """
        for batch in batched(utterances, BATCH):
            yield from self._search(batch)

    def find_equal_short_texts(self, utterance: Utterance) -> Sequence[int]:
        """Return the numbers of the held-out texts that are too short and equal this one.

        >>> index = HeldOutTexts([Utterance(id="a", text="Sí, 2.", lang="es")])
        >>> index.find_equal_short_texts(Utterance(id="b", text="si dos", lang="es"))
        [0]
        """
        text = utterance.text or ""
        if not self._short_texts or len(text) > 10 * MIN_LETTERS:
            return ()
        spellings = [fold_for_comparison(text)]
        if _READ_ALOUD.search(text):
            spellings += self._normalize(utterance)
        lists = (self._short_texts.get(spelling.replace(" ", "")) for spelling in spellings)
        return next(filter(None, lists), ())

    def _normalize(self, utterance: Utterance) -> list[str]:
        """Return the text as normalizers have it, folded."""
        text = utterance.text or ""
        return [
            fold_for_comparison(normalizer.normalize(text, utterance.lang))
            for normalizer in self._normalizers
        ]

    def _search(self, batch: Sequence[Utterance]) -> list[set[int]]:
        """Return the held-out texts that each utterance is too near to."""
        folded = [fold_for_comparison(utterance.text or "") for utterance in batch]
        matches, similar = self._search_spellings(folded)
        # Normalizers take many times longer than all the rest, and most texts are like no other.
        for place, utterance in enumerate(batch):
            if _READ_ALOUD.search(utterance.text or ""):
                similar.add(place)
        places, spellings = list[int](), list[str]()
        for place in similar:
            for spelling in {*self._normalize(batch[place])} - {folded[place]}:
                places.append(place)
                spellings.append(spelling)
        for place, numbers in zip(places, self._search_spellings(spellings)[0], strict=True):
            matches[place] |= numbers
        return matches

    def _search_spellings(self, spellings: Sequence[str]) -> tuple[list[set[int]], set[int]]:
        """Return the held-out texts near to each text, and the places of texts that are similar."""
        matches: list[set[int]] = [set() for _ in spellings]
        similar = set[int]()
        unspaced = list(map(is_written_without_spaces, spellings))
        for index in self._indexes:
            places = [i for i, flag in enumerate(unspaced) if flag is index.unspaced]
            near, alike = index.search([spellings[place] for place in places])
            for place, number in near:
                matches[places[place]].add(number)
            similar.update(places[place] for place in alike)
        return matches, similar


class _SpellingIndex:
    """Index of spellings of one kind of script, with spaces or without."""

    def __init__(self, spellings: Sequence[str], numbers: Sequence[int], unspaced: bool) -> None:
        """Index folded texts, each with the number of its held-out text."""
        self.unspaced = unspaced
        self._numbers = numbers
        self._letters = [spelling.replace(" ", "") for spelling in spellings]
        self._lengths = np.array([len(spelling) for spelling in spellings])
        units = [self._split(spelling) for spelling in spellings]
        # One character stands for a word, so that rapidfuzz compares words as fast as letters.
        symbols = map(chr, range(1, sys.maxunicode))
        self._symbols = dict(zip(dict.fromkeys(chain.from_iterable(units)), symbols, strict=False))
        self._in_order = list(map(self._encode, spellings))
        self._in_any_order = ["".join(sorted(encoded)) for encoded in self._in_order]
        self._long_runs = [count_long_run(letters) for letters in self._letters]
        self._gram = GRAM_UNSPACED if unspaced else GRAM
        self._long_gram = LONG_GRAM_UNSPACED if unspaced else LONG_GRAM
        row = Letters(spellings)
        grams = row.grams(self._gram)
        if unspaced:
            # Rare characters find texts in another order, as rare words do elsewhere.
            grams = Keys.join(grams, row.grams(1))
        else:
            # An n-gram within a word says no more than the word, if that is not very long.
            sizes = [len(row) / len(words) for row, words in zip(self._letters, units, strict=True)]
            has_long_words = np.array(sizes, float) > LONG_WORDS
            across = row.reaches_into_another_word(self._gram) | has_long_words[grams.texts]
            grams = Keys.join(grams.select(across), row.words())
        rare = grams.rare(COMMON, MIN_KEYS)
        self._rare = Postings(rare)
        self._key_counts = np.bincount(rare.texts, minlength=len(spellings))
        self._bags = Postings(self._list_bags(row, len(spellings)))
        # So near to each other that every long run holds two of them.
        steps = [max(1, (run - self._long_gram + 1) // 2) for run in self._long_runs]
        self._long = Postings(row.grams(self._long_gram, np.array(steps, np.int64)).distinct())

    def search(self, spellings: Sequence[str]) -> tuple[list[tuple[int, int]], set[int]]:
        """Return near pairs of a text and a held-out text, and the texts that are similar.

        Args:
            spellings: Folded texts.

        Returns:
            Places in `spellings` with numbers of held-out texts, and places of texts that have half
            of a held-out text's letters.
        """
        if not spellings or not self._numbers:
            return [], set()
        row, size = Letters(spellings), len(self._numbers)
        units = row.grams(1) if self.unspaced else row.words()
        keys = Keys.join(row.grams(self._gram), units)
        near, similar = list[tuple[int, int]](), set[int]()
        texts, indexed, counts = self._rare.find(keys, size, at_least=2)
        lengths = np.array([len(spelling) for spelling in spellings])[texts]
        ratios = lengths / self._lengths[indexed]
        # No text that is 1.6 times as long shares enough, and long ones share more than two keys.
        mask = (ratios < MAX_LENGTH_RATIO) & (ratios > 1 / MAX_LENGTH_RATIO)
        mask &= (counts > 2) | (lengths < SHORT)
        # Longer ones may hold the held-out text, if they have many of its rare keys.
        holds = (ratios >= MAX_LENGTH_RATIO) & (3 * counts > self._key_counts[indexed])
        holding = texts[holds], indexed[holds]
        for place, candidates in group(texts[mask], indexed[mask]):
            letters = spellings[place].replace(" ", "")
            candidates = candidates[:MAX_CANDIDATES]
            if not is_too_short(spellings[place]):
                matches = self._compare(spellings[place], letters, candidates)
                near += [(place, number) for number in matches]
                if not matches and self._has_similar(letters, candidates):
                    similar.add(place)
        own_bags = self._list_bags(row, len(spellings))
        texts, indexed, _ = self._bags.find(own_bags, size, at_least=1)
        near += zip(texts.tolist(), indexed.tolist(), strict=True)
        parts = self._long.find(row.grams(self._long_gram), size, at_least=2)[:2]
        for place, candidates in chain(group(*parts), group(*holding)):
            letters = spellings[place].replace(" ", "")
            near += [
                (place, number)
                for number in candidates[:MAX_CANDIDATES]
                if holds_part(letters, self._letters[number], self._long_runs[number])
            ]
        return [(place, self._numbers[number]) for place, number in near], similar

    def _split(self, spelling: str) -> Sequence[str]:
        """Return the words of a text, or its characters."""
        return spelling.replace(" ", "") if self.unspaced else spelling.split()

    def _encode(self, spelling: str) -> str:
        """Return a character for each unit; all that no held-out text has are the same."""
        symbols = self._symbols
        return "".join([symbols.get(unit, "\0") for unit in self._split(spelling)])

    def _list_bags(self, row: Letters, count: int) -> Keys:
        if self.unspaced:
            return Keys(np.empty(0, np.uint64), np.empty(0, np.int64))
        return bags(row.words(), count, SMALLEST_BAG, LARGEST_BAG)

    def _compare(self, spelling: str, letters: str, candidates: Sequence[int]) -> set[int]:
        """Return the candidates that share so much with a text of about the same length."""
        encoded = self._encode(spelling)
        in_any_order = "".join(sorted(encoded))
        has_few_words = not self.unspaced and len(encoded) < MIN_WORDS
        similar_letters = SIMILAR_LETTERS_OF_FEW_WORDS if has_few_words else SIMILAR_LETTERS
        common_part, edits = LCSseq.normalized_similarity, Levenshtein.normalized_similarity
        comparisons: list[tuple[str, list[str], Callable[..., float], Share]] = [
            (in_any_order, self._in_any_order, common_part, SHARED_WORDS),
            (letters, self._letters, edits, similar_letters),
        ]
        # One word of three or four is much of what is said, so words in common prove little.
        if has_few_words:
            del comparisons[0]
        elif not self.unspaced:
            comparisons.append((encoded, self._in_order, common_part, SHARED_WORDS_IN_ORDER))
        near = set[int]()
        for text, texts, scorer, share in comparisons:
            choices = [texts[number] for number in candidates]
            scores = process.extract(
                text, choices, scorer=scorer, score_cutoff=share - _EPSILON, limit=None
            )
            near.update(candidates[place] for _, _, place in scores)
        return near

    def _has_similar(self, letters: str, candidates: Sequence[int]) -> bool:
        """Return whether a normalizer might make a text nearly the same as a candidate."""
        choices = [self._letters[number] for number in candidates]
        scorer = Levenshtein.normalized_similarity
        return process.extractOne(letters, choices, scorer=scorer, score_cutoff=0.5) is not None


def count_long_run(letters: str) -> int:
    """Return how many letters in a row are a long part of a held-out text.

    >>> count_long_run("a" * 20), count_long_run("a" * 40), count_long_run("a" * 200)
    (20, 30, 40)
    """
    count = count_comparison_letters(letters)
    run = max(MIN_LETTERS, min(LONG_RUN, PART * count))
    return math.ceil(run * len(letters) / count)


def holds_part(letters: str, held_out: str, long_run: int) -> bool:
    """Return whether a text holds a held-out one or a long part of it, or is one.

    Args:
        letters: Letters of the text.
        held_out: Letters of the held-out text.
        long_run: Number of letters that are a long part, if they are the same.
    """
    starts = range(len(held_out) - long_run + 1)
    if any(held_out[start : start + long_run] in letters for start in starts):
        return True
    if count_comparison_letters(letters) < max(MIN_LETTERS, PART * len(held_out)):
        return False
    return partial_ratio(letters, held_out, score_cutoff=CONTAINED_LETTERS) > 0


def group(texts: Numbers, indexed: Numbers) -> Iterator[tuple[int, list[int]]]:
    """Yield each text with the indexed texts that it is paired with."""
    if len(texts):
        borders = np.flatnonzero(np.diff(texts)) + 1
        firsts = texts[np.concatenate([[0], borders])].tolist()
        yield from zip(firsts, (part.tolist() for part in np.split(indexed, borders)), strict=True)


def batched(utterances: Iterable[Utterance], size: int) -> Iterator[list[Utterance]]:
    """Yield lists of `size` utterances, and a shorter last one."""
    iterator = iter(utterances)
    while batch := list(islice(iterator, size)):
        yield batch
