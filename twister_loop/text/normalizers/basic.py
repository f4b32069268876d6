"""Normalizer that ignores case, punctuation, width and the spelling of numbers."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

from num2words import CONVERTER_CLASSES, num2words

from ...core.types import Language
from ._base import Normalizer
from ._folding import fold_characters
from ._orthography import WORD_SIGNS, join_affixes


class _Punctuation(dict[int, str]):
    """Translation table that turns everything but letters, numbers and marks into a space."""

    def __missing__(self, code: int) -> str:
        # By category and not by `\w`, which splits Hindi words at their vowel signs (marks).
        is_part_of_word = unicodedata.category(chr(code))[0] in "LNM" or code in WORD_SIGNS
        return self.setdefault(code, chr(code) if is_part_of_word else " ")


PUNCTUATION = _Punctuation()
NUMBER = re.compile(r"\d+")
BROKEN_LANGUAGES = frozenset({"am"})
"""Languages whose digits stay, because num2words 0.5.14 does not end for some numbers: Amharic from
seven digits on ("1234567"), and it fails below. The tests try all of its 56 languages."""


@dataclass(frozen=True)
class Basic(Normalizer):
    """Normalizer for every language: no case, no punctuation, numbers spelled out.

    Spellings of one word that differ in encoding or typing only are equal: digits of every script,
    optional marks, joiners, apostrophes (see `_folding` and `_orthography`).

    >>> Basic().normalize("Premi 2, oppure «#»!", "it")
    'premi due oppure'
    """

    numbers: bool = True
    """Spell out digits in the language of the text, so that "2" and "due" are equal."""

    def normalize(self, text: str, lang: Language | None) -> str:
        text = fold_characters(text, lang).translate(PUNCTUATION)
        if self.numbers and lang:
            text = NUMBER.sub(lambda digits: f" {spell_out_number(digits[0], lang)} ", text)
        # Again, because num2words writes hyphens: "twenty-one".
        return join_affixes(" ".join(text.translate(PUNCTUATION).split()), lang)

    def keeping_numbers(self) -> Self:
        return replace(self, numbers=False)


@lru_cache(maxsize=1 << 14)
def spell_out_number(digits: str, lang: Language) -> str:
    """Return a number in words; its digits if num2words lacks the language or it is too long.

    >>> spell_out_number("21", "en"), spell_out_number("21", "am")
    ('twenty-one', '21')
    """
    converter = lang if lang in CONVERTER_CLASSES else re.split("[-_]", lang)[0]
    # Sixteen digits and more are no quantities but identifiers such as card numbers.
    if len(digits) >= 16 or converter not in CONVERTER_CLASSES or converter in BROKEN_LANGUAGES:
        return digits
    try:
        return str(num2words(int(digits), lang=converter))
    # Mostly OverflowError; but a converter may fail in any way on a number that it was never
    # tried on, and digits that stay are the same on both sides of a comparison.
    except Exception:
        return digits
