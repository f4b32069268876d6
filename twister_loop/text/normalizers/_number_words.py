"""Words around numbers, by language: decimal mark, signs, currencies, fractions, variants."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from ...core.types import Language
from ._folding import fold_characters

TABLE = Path(__file__).with_name("number_words.toml")
SIGNS = {
    "eur": "€ eur", "usd": "$ us$ usd", "gbp": "£ gbp", "jpy": "¥ jpy", "inr": "₹ inr",
    "rub": "₽ rub руб", "uah": "₴ uah грн", "pln": "zł pln", "czk": "kč czk", "huf": "ft huf",
    "kr": "kr sek nok dkk isk", "brl": "r$ brl", "try": "₺ tl try", "ils": "₪ ils", "bdt": "৳ bdt",
    "krw": "₩ krw", "vnd": "₫ vnd", "thb": "฿ thb", "idr": "rp idr", "kzt": "₸ kzt",
    "azn": "₼ azn", "ron": "lei ron", "chf": "chf", "ghs": "₵ ghs", "ngn": "₦ ngn", "php": "₱ php",
    "cent": "¢",
}  # fmt: skip
"""Signs, abbreviations and codes of currencies, in lower case."""
CURRENCIES_OF_SECOND_CENTS = frozenset("gbp rub uah pln czk huf kr try ils ron brl".split())
"""Currencies whose hundredths are not cents."""


@dataclass(frozen=True)
class NumberWords:
    """Words that belong to numbers in one language; each field holds words and spaces."""

    point: str
    """Decimal mark as it is read, then other words that are said instead of it."""
    minus: str
    plus: str = "plus"
    places: str = ""
    """Names of decimal places that are said after the digits: tenths | hundredths | thousandths."""
    joiner: str = ""
    """Conjunctions within numbers: "one hundred and one", "three and a half"."""
    prefixed_joiner: str = ""
    """Conjunction that is written together with the next word."""
    ones: str = ""
    """Forms of one that are the number before hundreds, currencies and percent, and within it."""
    article: str = ""
    """Indefinite articles that mean one before hundreds, currencies and percent: "a hundred"."""
    bare: bool = False
    """Whether a hundred or thousand without a number before it means one of them."""
    teen_hundreds: bool = False
    """Whether "nineteen hundred" is said for 1900."""
    paired_years: bool = False
    """Whether "nineteen eighty-four" is said for 1984."""
    decades: bool = False
    """Whether "the nineteen nineties" are written 1990s."""
    same: str = ""
    """Forms of one number word that are equal, as "canonical:variant,variant"."""
    parts: str = ""
    """Number words that are written together: a word made of them alone is taken apart."""
    phrases: Mapping[str, str] = field(default_factory=dict)
    """Other equal phrases, variant to canonical."""
    of: str = ""
    """Prepositions between a number and what is counted: "deux millions d'euros"."""
    percent: str = ""
    """Plural forms of percent where CLDR has none."""
    money: Mapping[str, str] = field(default_factory=dict)
    """Plural forms by currency: for one | few | other, where the language tells them apart; a space
    within a form is an underscore."""
    cents: str = ""
    """Words for hundredths of currencies, left out after the currency: "two dollars fifty"; after
    a bar those of `CURRENCIES_OF_SECOND_CENTS`."""
    before_cents: str = ""
    """Words between a currency and its hundredths, besides the conjunctions."""
    fractions: str = ""
    """1/2 | 1/3 | 2/3 | 1/4 | 3/4."""
    mixed: str = ""
    """Conjunction before the fraction of a mixed number: three and a half."""
    ordinal_endings: str = ""
    """Endings by which an ordinal number is inflected: they are left out."""
    regional: str = ""
    """Names of num2words for varieties of the language that say 70 to 99 otherwise."""
    zeros: str = ""
    """Other words for zero between digits: "five oh five"."""
    abbreviations: Mapping[str, str] = field(default_factory=dict)
    """Plural forms of abbreviated scales; those of one letter only after a currency: "$5k"."""
    ordinal: str = ""
    """Pattern of what is written after the digits of an ordinal number; MONTH is any month."""
    ordinal_before: str = ""
    """Prefix that makes digits an ordinal number: "ke-3"."""
    ordinal_after: str = ""
    """Words after which digits with a full stop are an ordinal number: "am 3. Tag"."""
    hour: str = ""
    """Word that is said between hours and minutes, then its abbreviation: "quinze heures dix"."""


@lru_cache(maxsize=256)
def find_number_words(lang: Language) -> NumberWords | None:
    """Return the words of a language, or of its primary language; None if there are none.

    >>> find_number_words("it-IT").point
    'virgola punto'
    """
    table = _load_table()
    words = table.get(lang) or table.get(re.split("[-_]", lang)[0])
    return NumberWords(**{key: _fold(key, words[key], lang) for key in words}) if words else None


def _fold(key: str, words: Any, lang: Language) -> Any:
    """Return words as they are in texts whose characters are folded; patterns stay."""
    if isinstance(words, dict):
        return {
            fold_characters(name, lang): fold_characters(phrase, lang)
            for name, phrase in words.items()
        }
    return (
        fold_characters(words, lang)
        if isinstance(words, str) and key not in ("ordinal", "regional")
        else words
    )


@cache
def _load_table() -> dict[str, dict[str, Any]]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))
