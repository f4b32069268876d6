"""Normalizer that ignores case, punctuation, width and the spelling of numbers."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from ...core.types import Language
from ._base import Normalizer
from ._folding import fold_characters, join_words
from ._numbers import read_numbers
from ._orthography import WORD_SIGNS, join_affixes
from ._spelling import has_number_words
from ._spoken_numbers import unify_number_words


class _Punctuation(dict[int, str]):
    """Translation table that turns everything but letters, numbers and marks into a space."""

    def __missing__(self, code: int) -> str:
        # By category and not by `\w`, which splits Hindi words at their vowel signs (marks).
        is_part_of_word = unicodedata.category(chr(code))[0] in "LNM" or code in WORD_SIGNS
        return self.setdefault(code, chr(code) if is_part_of_word else " ")


PUNCTUATION = _Punctuation()


@dataclass(frozen=True)
class Basic(Normalizer):
    """Normalizer for every language: no case, no punctuation, numbers spelled out.

    Spellings of one word that differ in encoding or typing only are equal: digits of every script,
    optional marks, joiners, apostrophes (see `_folding` and `_orthography`).

    >>> Basic().normalize("Premi 2, oppure «#»!", "it")
    'premi due oppure'
    """

    numbers: bool = True
    """Read numbers aloud in the language of the text, so that "1.000 €" and "mille euro" are equal
    in Italian. Digits stay in languages that num2words has no words for."""

    def normalize(self, text: str, lang: Language | None) -> str:
        text = fold_characters(text, lang)
        if self.numbers and lang:
            # Before punctuation is removed, which tells how numbers are read. Composed again, as a
            # letter that stood behind a digit may complete the last syllable of its word.
            text = unicodedata.normalize("NFKC", read_numbers(text, lang))
        text = join_words(text.translate(PUNCTUATION))
        if self.numbers and lang:
            text = unify_number_words(text, lang)
        return join_affixes(text, lang)

    def languages_keeping_digits(self, langs: Iterable[Language | None]) -> list[Language]:
        """Return those languages in which numbers should be read aloud but stay digits.

        >>> Basic().languages_keeping_digits(["it", "el", None])
        ['el']
        """
        languages = {lang for lang in langs if lang and self.numbers}
        return sorted(lang for lang in languages if not has_number_words(lang))

    def keeping_numbers(self) -> Self:
        return replace(self, numbers=False)
