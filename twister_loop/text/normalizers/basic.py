"""Case, punctuation, width and the spelling of numbers do not count."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

from num2words import num2words

from ...core.types import Language
from ._base import Normalizer


class _Punctuation(dict[int, str]):
    """What is no letter, number or mark becomes a space. (For `re`, vowel signs are no letters.)"""

    def __missing__(self, code: int) -> str:
        kept = unicodedata.category(chr(code))[0] in "LNM"
        return self.setdefault(code, chr(code) if kept else " ")


PUNCTUATION = _Punctuation()
NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Basic(Normalizer):
    numbers: bool = True
    """Whether digits are spelled out in the language of the text: "2" and "due" are then equal."""

    def normalize(self, text: str, lang: Language | None) -> str:
        # Again after casefold: it takes some letters apart.
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        text = text.translate(PUNCTUATION)
        if self.numbers and lang:
            text = NUMBER.sub(lambda digits: f" {spell_out_number(digits[0], lang)} ", text)
        return " ".join(text.translate(PUNCTUATION).split())

    def keeping_numbers(self) -> Self:
        return replace(self, numbers=False)


@lru_cache(maxsize=1 << 14)
def spell_out_number(digits: str, lang: Language) -> str:
    """Leave the digits where num2words does not speak the language, or the number is absurd."""
    try:
        return str(num2words(int(digits), lang=lang)) if len(digits) < 16 else digits
    except (NotImplementedError, OverflowError):
        return digits
