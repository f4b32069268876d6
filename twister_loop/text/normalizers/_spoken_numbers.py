"""One form of number words: "a hundred and one" is "one hundred one", "duemila" is "due mila".

Words are changed in and around numbers only. Which are equal is listed in `number_words.toml`; the
number words themselves are those of `spell_out_number`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import product

from ...core.types import Language
from ._number_parsing import parse_number
from ._number_words import NumberWords, find_number_words
from ._phrases import Phrase, PhraseTable, attach, read_variants, split_parts
from ._spelling import (
    find_percent_phrase,
    find_separators,
    has_number_words,
    make_plural,
    spell_out_number,
    spell_out_ordinal,
    split_words,
)

MAX_PASSES = 8
_DIGIT_GROUPS = re.compile(r"(?<!\S)\d+(?: \d+)+(?!\S)")


def unify_number_words(text: str, lang: Language) -> str:
    """Return the text with the words of numbers in one form.

    >>> unify_number_words("a hundred and one or two point twenty five", "en")
    'one hundred one or two point two five'

    Args:
        text: Words with folded characters, without punctuation.
        lang: Language of the text.
    """
    vocabulary = load_vocabulary(lang)
    if vocabulary is None:
        return _DIGIT_GROUPS.sub(lambda match: _join_groups(match[0], lang), text)
    return " ".join(vocabulary.unify(text.split()))


@lru_cache(maxsize=128)
def load_vocabulary(lang: Language) -> NumberVocabulary | None:
    """Return the number words of a language; None if it has none."""
    words = find_number_words(lang)
    return NumberVocabulary(lang, words) if words and has_number_words(lang) else None


class NumberVocabulary:
    """Number words of one language, and the rules that bring them to one form."""

    def __init__(self, lang: Language, words: NumberWords) -> None:
        self.lang = lang
        self.same = read_variants(words.same)
        self.parts = frozenset(words.parts.split())
        self.prefix = words.prefixed_joiner
        self.joiners = frozenset(words.joiner.split())
        self.articles = frozenset(words.article.split())
        self.of = frozenset(words.of.split())
        self.bare = words.bare
        self.decades = words.decades
        self.zeros = frozenset(words.zeros.split())
        self.minus, *self.other_minus = words.minus.split()
        self.point, *other_points = words.point.split()
        self.points = frozenset((self.point, *other_points))
        self.places = {
            word: count
            for count, names in enumerate(words.places.split("|"), 1)
            for word in names.split()
        }
        half = words.fractions.split("|")[0].split()
        self.half = half[0] if len(half) == 1 else None
        self.zero = " ".join(self._spell(0))
        self._classify_words(words)
        self.cents = frozenset(words.cents.replace("|", " ").split()) - self.numbers
        self.before_cents = self.joiners.union(words.before_cents.split())
        phrases = {
            tuple(variant.split()): tuple(canonical.split())
            for variant, canonical in words.phrases.items()
        }
        for region in words.regional.split():
            for number in range(70, 100):
                regional = self._canonical(spell_out_number(str(number), region))
                phrases[regional] = self._spell(number)
        if words.teen_hundreds:
            phrases |= self._list_teen_hundreds()
        self.phrases = PhraseTable(phrases)
        self.years = PhraseTable({})
        if words.paired_years:
            self.years = PhraseTable(self._pair_years())
        self.digits = [self._unify_whole(self._spell(digit)) for digit in range(10)]

    def _classify_words(self, words: NumberWords) -> None:
        """Sort the words of numbers and around them by the rules that apply to them."""
        self.one = self._spell(1)
        self.ones = {*words.ones.split(), *(self.one if len(self.one) == 1 else ())}
        below_hundred = {word for number in range(100) for word in self._spell(number)}
        large = (factor * scale for scale in (10**6, 10**9) for factor in (1, 2, 5))
        above = (*range(100, 1000, 100), 1000, 2000, 5000, 10_000, *large)
        self.scales = {word for number in above for word in self._spell(number)}
        self.scales -= below_hundred | self.joiners | self.ones
        self.numbers = (below_hundred | self.scales) - self.joiners
        ordinals = {
            word
            for number in (*range(1, 32), 100)
            for word in self._canonical(spell_out_ordinal(str(number), self.lang) or "")
        }
        self.after_joiner = self.numbers | ordinals
        if self.decades:
            self.after_joiner |= {make_plural(*self._spell(tens)) for tens in range(20, 100, 10)}
        for ending in words.ordinal_endings.split():
            self.same |= {f"{word}{ending}": word for word in ordinals - self.numbers}
        money = {word for forms in words.money.values() for word in split_words(forms, self.lang)}
        self.money = money - self.numbers
        percent = words.percent or " ".join(
            find_percent_phrase(number, self.lang) or "" for number in ("1", "2", "5", "1.5")
        )
        around = {*split_words(percent, self.lang), *words.fractions.replace("|", " ").split()}
        self.counted = (self.scales | self.money | around) - below_hundred - self.ones - self.of
        self.counted -= self.joiners
        # From hundreds to billions, and whether one is said before a single of them.
        self.magnitudes: dict[str, int] = {}
        self.takes_one: dict[str, bool] = {}
        for scale in (100, 1000, 10**6, 10**9):
            phrase = self._spell(scale)
            if len(phrase) == 1 or (len(phrase) == 2 and phrase[0] in self.ones):
                self.magnitudes.setdefault(phrase[-1], scale)
                self.takes_one.setdefault(phrase[-1], len(phrase) == 2)

    @cached_property
    def decimals(self) -> dict[Phrase, str]:
        """Digits of the numbers to 999 by their words; a second to build, so only when needed."""
        return {
            tuple(self._unify_whole(self._spell(number))): str(number) for number in range(1, 1000)
        }

    def _pair_years(self) -> dict[Phrase, Phrase]:
        """Return numbers of four digits by the words of their halves: nineteen, eighty-four."""
        years = {}
        for century, year in product(range(13, 21), range(1, 100)):
            words = tuple(self._unify_whole(self._spell(100 * century + year)))
            for zero in ((),) if year >= 10 else (("oh",), ("o",), self._spell(0)):
                years[self._spell(century) + zero + self._spell(year)] = words
            if self.decades and year % 10 == 0 and year > 10:
                decade = (make_plural(*self._spell(year)),)
                years[self._spell(century) + decade] = (*words[:-1], *decade)
        return years

    def _list_teen_hundreds(self) -> dict[Phrase, Phrase]:
        """Return 1100 to 1900 by words such as "nineteen hundred"."""
        hundred = self._spell(100)[-1:]
        return {self._spell(n) + hundred: self._spell(100 * n) for n in range(11, 20)}

    def unify(self, words: Sequence[str]) -> list[str]:
        """Return words with those of numbers in canonical form."""
        canonical = [part for word in words for part in self._split(word)]
        if self.prefix:
            canonical = attach(self.prefix, canonical)
        # A rule may make way for another; most texts are the same after the first time.
        for _ in range(MAX_PASSES):
            before = canonical
            canonical = self._read_decimals(self._unify_whole(self._drop_cents(before)))
            if canonical == before:
                break
        return canonical

    def _unify_whole(self, words: Sequence[str]) -> list[str]:
        """Apply the rules for whole numbers."""
        unified = self.phrases.replace(words)
        unified = self._unify_ones(unified)
        unified = self._drop_joiners(unified)
        unified = self._unify_scales(unified)
        return self.years.replace(unified, unless_after=self.numbers)

    def _unify_ones(self, words: Sequence[str]) -> list[str]:
        """Write one in one form within numbers and before what is counted; not before a half."""
        unified: list[str] = []
        for index, word in enumerate(words):
            following = words[index + 1] if index + 1 < len(words) else ""
            is_article = word in self.articles
            is_one = word in self.ones and self._is_in_number(unified)
            is_one |= (
                word in self.ones
                and following in self.points
                and words[index + 2 : index + 3] != []
                and words[index + 2] in self.numbers
            )
            if is_one or (following in self.counted and (is_article or word in self.ones)):
                unified += self.one
                continue
            if following in self.numbers and word in self.other_minus:
                word = self.minus
            if following in self.numbers and word in self.zeros and self._is_in_number(unified):
                word = self.zero
            while word == self.half and unified and unified[-1] in self.ones | self.articles:
                unified.pop()
            unified.append(word)
        return unified

    def _is_in_number(self, words: Sequence[str]) -> bool:
        """Return whether words end with one of a number, and perhaps a conjunction."""
        if words and words[-1] in self.joiners:
            words = words[:-1]
        return bool(words) and words[-1] in self.numbers

    def _drop_joiners(self, words: Sequence[str]) -> list[str]:
        """Leave out "and" after hundreds and the like, and "of" before what is counted."""
        unified: list[str] = []
        for index, word in enumerate(words):
            following = words[index + 1] if index + 1 < len(words) else ""
            before = unified[-1] if unified else ""
            if word in self.joiners and before in self.scales and following in self.after_joiner:
                continue
            if word in self.of and before in self.numbers and following in self.counted:
                continue
            unified.append(word)
        return unified

    def _unify_scales(self, words: Sequence[str]) -> list[str]:
        """Say one before a single hundred, thousand and so on where the language does."""
        unified: list[str] = []
        for word in words:
            magnitude = self.magnitudes.get(word)
            if magnitude is not None:
                has_one = tuple(unified[-1:]) == self.one
                before = unified[:-1] if has_one else unified
                # "two hundred" has its number, "thousand hundred" lacks one.
                is_single = not self._is_in_number(before)
                is_single |= self.magnitudes.get("".join(before[-1:]), 0) > magnitude
                if is_single and has_one and not self.takes_one[word]:
                    unified.pop()
                elif is_single and not has_one and self.takes_one[word] and self.bare:
                    unified += self.one
            unified.append(word)
        return unified

    def _read_decimals(self, words: Sequence[str]) -> list[str]:
        """Read decimals digit by digit: "point twenty-five" is "point two five"."""
        unified: list[str] = []
        index = 0
        while index < len(words):
            word = words[index]
            index += 1
            if not self.numbers.isdisjoint(unified[-1:]) and word in self.points | self.joiners:
                # Before tenths and the like also "and" without a point, or after it.
                has_joiner = word in self.points and not self.joiners.isdisjoint(
                    words[index : index + 1]
                )
                start = index + has_joiner
                digits, end, has_place = self._find_decimals(words, start)
                if digits and (has_place or (word in self.points and not has_joiner)):
                    spoken = [part for digit in digits for part in self.digits[int(digit)]]
                    unified += [self.point, *spoken]
                    index = end
                    continue
            unified.append(word)
        return unified

    def _find_decimals(self, words: Sequence[str], start: int) -> tuple[str, int, bool]:
        """Return decimals that begin at a word, their end, and whether it names their place."""
        end = start
        while words[end : end + 1] == self.digits[0]:
            end += 1
        zeros = "0" * (end - start)
        lengths = (n for n in range(8, 0, -1) if tuple(words[end : end + n]) in self.decimals)
        length = next(lengths, 0)
        digits = self.decimals[tuple(words[end : end + length])] if length else ""
        end += length
        place = self.places.get(words[end], 0) if digits and end < len(words) else 0
        return (zeros + digits).zfill(place), end + bool(place), bool(place)

    def _drop_cents(self, words: Sequence[str]) -> list[str]:
        """Leave out the name of hundredths after a currency: "two dollars and fifty cents"."""
        numbers = self.numbers | self.ones
        unified: list[str] = []
        index = 0
        while index < len(words):
            unified.append(words[index])
            index += 1
            if unified[-1] not in self.money or numbers.isdisjoint(unified[-2:-1]):
                continue
            start = end = index + (index < len(words) and words[index] in self.before_cents)
            while end < len(words) and words[end] in numbers | self.joiners:
                end += 1
            if end > start and words[start] in numbers:
                unified += words[start:end]
                while end < len(words) and words[end] in self.cents:
                    end += 1
                index = end
        return unified

    def _spell(self, number: int) -> Phrase:
        return self._canonical(spell_out_number(str(number), self.lang))

    def _canonical(self, words: str) -> Phrase:
        """Return words in parts and in canonical form, before any rule for phrases."""
        split = [part for word in split_words(words, self.lang) for part in self._split(word)]
        return tuple(attach(self.prefix, split) if self.prefix else split)

    def _split(self, word: str) -> Phrase:
        """Return the parts of a number that is written as one word, in canonical form."""
        parts = split_parts(word, self.parts) if self.parts else ()
        return tuple(self.same.get(part, part) for part in parts or (word,))


def _join_groups(digits: str, lang: Language) -> str:
    """Return digits without the spaces between their groups, if they are one number."""
    number = parse_number(digits, *find_separators(lang))
    return number.whole if number else digits
