"""Numbers in words by num2words, and the conventions of CLDR by which languages write them."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.numbers import format_decimal, get_currency_name, get_decimal_symbol, get_group_symbol
from babel.units import format_unit
from num2words import CONVERTER_CLASSES, num2words

from ...core.types import Language
from ._folding import fold_characters

MAX_DIGITS = 15
"""Numbers with more digits are no quantities but identifiers such as card numbers."""
BROKEN_LANGUAGES = frozenset({"am"})
"""Languages whose digits stay, because num2words 0.5.14 does not end for some numbers: Amharic from
seven digits on ("1234567"), and it fails below. The tests try all of its 56 languages."""
_CONVERTER_NAME = {"kk": "kz", "nb": "no", "iw": "he"}
"""Names of num2words where they differ."""
_CLDR_NAME = {"no": "nb", "jw": "jv", "tl": "fil", "sr": "sr_Latn", "iw": "he"}
"""Names of CLDR where they differ from Whisper's; num2words spells Serbian in Latin letters."""
_THOUSAND = {"az": "min"}
"""Thousands that num2words 0.5.14 spells wrong: Azerbaijani 21,000 as 20,000."""
_FULL_FORM = {"ar": {200: "مائتان", 2000: "ألفان", 2_000_000: "مليونان"}}
"""Numbers that num2words 0.5.14 gives in the form before a noun."""
_WRONG_WORDS = {
    # Written "treds", and not only in "halvtreds" (50).
    "da": (("(?<!halv)treds", "tres"),),
    # 118 is "centodicotto".
    "it": (("dicotto", "diciotto"),),
    # A billion is named by the short scale, in a language of the long one.
    "sr": (("bilion", "milijard"), ("jedan milijard$", "jedna milijarda")),
    # "Ten one hundred-thousands".
    "kn": (("ಒಂದು ಲಕ್ಷ", "ಲಕ್ಷ"),),
}
"""Patterns of words that num2words 0.5.14 spells wrong, and the right ones."""


def has_number_words(lang: Language) -> bool:
    """Return whether numbers can be spelled out in a language.

    >>> has_number_words("it"), has_number_words("el")
    (True, False)
    """
    return _converter(lang) is not None


@lru_cache(maxsize=1 << 14)
def spell_out_number(digits: str, lang: Language) -> str:
    """Return a number in words; its digits if num2words lacks the language or it is too long.

    >>> spell_out_number("21", "en"), spell_out_number("21", "am")
    ('twenty-one', '21')
    """
    converter = _converter(lang)
    if converter is None or len(digits) > MAX_DIGITS:
        return digits
    number = int(digits)
    if number in _FULL_FORM.get(converter, {}):
        return _FULL_FORM[converter][number]
    if converter in _THOUSAND and 1000 < number < 1_000_000:
        thousands, rest = divmod(number, 1000)
        before = spell_out_number(str(thousands), lang) if thousands > 1 else ""
        after = spell_out_number(str(rest), lang) if rest else ""
        return f"{before} {_THOUSAND[converter]} {after}".strip()
    try:
        words = str(num2words(number, lang=converter))
    # Mostly OverflowError; but a converter may fail in any way on a number that it was never
    # tried on, and digits that stay are the same on both sides of a comparison.
    except Exception:
        return digits
    for wrong, right in _WRONG_WORDS.get(converter, ()):
        words = re.sub(wrong, right, words)
    return fold_characters(words, lang)


@lru_cache(maxsize=1 << 12)
def spell_out_ordinal(digits: str, lang: Language, **form: str | bool) -> str | None:
    """Return an ordinal number in words; None if num2words has none in the language.

    Args:
        digits: Whole number.
        lang: Language.
        form: Gender and case in the terms of num2words' converter of the language.

    >>> spell_out_ordinal("21", "en"), spell_out_ordinal("21", "lt")
    ('twenty-first', None)
    """
    converter = _converter(lang)
    if converter is None or len(digits) > 6:
        return None
    try:
        return fold_characters(
            str(num2words(int(digits), lang=converter, to="ordinal", **form)), lang
        )
    except Exception:
        return None


@lru_cache(maxsize=256)
def find_separators(lang: Language) -> tuple[str, str]:
    """Return the decimal mark and the mark between groups of digits; English ones if unknown.

    >>> find_separators("it"), find_separators("fr")
    ((',', '.'), (',', ' '))
    """
    locale = _locale(lang)
    if locale is None:
        return ".", ","
    group = get_group_symbol(locale, numbering_system="latn")
    return get_decimal_symbol(locale, numbering_system="latn"), (" " if group.isspace() else group)


@lru_cache(maxsize=1 << 12)
def find_percent_phrase(number: str, lang: Language) -> str | None:
    """Return the phrase for percent, with "{}" for the number; None if CLDR has none.

    >>> find_percent_phrase("2", "tr"), find_percent_phrase("2", "mt")
    ('yüzde {}', None)
    """
    locale = _locale(lang)
    if locale is None:
        return None
    quantity = float(number) if "." in number else int(number)
    phrase = format_unit(quantity, "concentr-percent", "long", locale=locale)
    if "%" in phrase or "٪" in phrase:
        return None
    return fold_characters(phrase.replace(format_decimal(quantity, locale=locale), "{}"), lang)


@lru_cache(maxsize=1 << 12)
def find_plural_category(number: str, lang: Language) -> str:
    """Return the plural category of CLDR that a number takes, such as "one" or "few"."""
    locale = _locale(lang)
    return "other" if locale is None else str(locale.plural_form(float(number)))


@lru_cache(maxsize=256)
def list_months(lang: Language) -> tuple[str, ...]:
    """Return the names of the months as they stand in dates."""
    locale = _locale(lang)
    if locale is None:
        return ()
    return tuple(fold_characters(name, lang) for name in locale.months["format"]["wide"].values())


@lru_cache(maxsize=1 << 10)
def find_euro_name(number: str, lang: Language) -> str:
    """Return the name of the euro, which CLDR has without a country; empty if unknown."""
    locale = _locale(lang)
    if locale is None:
        return ""
    name = get_currency_name("EUR", float(number), locale)
    return "" if name == "EUR" else fold_characters(name, lang)


def make_plural(number: str) -> str:
    """Return the plural of an English number, as in "the nineteen nineties".

    >>> make_plural("ninety"), make_plural("two thousand")
    ('nineties', 'two thousands')
    """
    return f"{number.removesuffix('y')}ies" if number.endswith("y") else f"{number}s"


def split_words(text: str, lang: Language) -> list[str]:
    """Return words as they are in a normalized text: folded, without hyphens and commas."""
    folded = fold_characters(text.replace("_", " "), lang)
    return "".join(
        char if unicodedata.category(char)[0] in "LNM" else " " for char in folded
    ).split()


@lru_cache(maxsize=256)
def _converter(lang: Language) -> str | None:
    for name in (lang, re.split("[-_]", lang)[0]):
        name = _CONVERTER_NAME.get(name, name)
        if name in CONVERTER_CLASSES and name not in BROKEN_LANGUAGES:
            return name
    return None


@lru_cache(maxsize=256)
def _locale(lang: Language) -> Locale | None:
    for name in (lang.replace("-", "_"), re.split("[-_]", lang)[0]):
        try:
            return Locale.parse(_CLDR_NAME.get(name, name))
        except (UnknownLocaleError, ValueError):
            continue
    return None
