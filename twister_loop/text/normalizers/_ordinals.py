"""Ordinal numbers by what is written after their digits: 3rd, 2ème, 3ª, ke-3."""

from __future__ import annotations

from collections.abc import Mapping

from ...core.types import Language
from ._spelling import make_plural, spell_out_number, spell_out_ordinal

_FEMININE = frozenset("a as".split())
_RUSSIAN_FORM: Mapping[str, Mapping[str, str | bool]] = {
    "я": {"gender": "f"}, "ая": {"gender": "f"}, "е": {"gender": "n"}, "ое": {"gender": "n"},
    "ые": {"plural": True}, "го": {"case": "g"}, "му": {"case": "d"}, "м": {"case": "p"},
    "ю": {"case": "a", "gender": "f"},
}  # fmt: skip
"""Gender and case by ending, in the words of num2words."""
_DENOMINATOR = {
    "en": ("", "s"),
    "es": ("", "s"),
    "fr": ("", "s"),
    "pt": ("", "s"),
    "it": ("o", "i"),
}
"""Last letter of an ordinal number, and the plural's, where ordinals are denominators."""


def read_ordinal(digits: str, ending: str, lang: Language) -> str | None:
    """Return an ordinal number in words; None if the language has none.

    >>> read_ordinal("3", "ª", "it"), read_ordinal("1", "re", "fr"), read_ordinal("3", "er", "es")
    ('terzo', 'première', 'tercer')

    Args:
        digits: Whole number.
        ending: What is written after the digits, without hyphen and full stop.
        lang: Language of the text.
    """
    if lang == "en" and ending.endswith("s"):
        return make_plural(spell_out_number(digits, lang))
    form = _RUSSIAN_FORM.get(ending, {}) if lang == "ru" else {}
    word = spell_out_ordinal(digits, lang, **form)
    if word is None:
        return None
    if lang == "ro":
        # Written "al 3-lea".
        return word.removeprefix("al ")
    if lang in ("it", "es", "pt") and ending in _FEMININE:
        return " ".join(f"{part[:-1]}a" if part.endswith("o") else part for part in word.split())
    if lang == "es" and ending == "er":
        return word.removesuffix("o")
    if lang == "ca" and ending == "a":
        return f"{word[:-1]}ena" if word.endswith("è") else f"{word}a"
    if lang == "fr" and digits == "1" and ending.startswith(("r", "è", "e")) and ending != "er":
        return "première"
    if lang == "fr" and digits == "2" and ending.startswith("n"):
        return "seconde" if "e" in ending else "second"
    return word


def read_denominator(above: int, below: int, lang: Language) -> str | None:
    """Return the denominator of a fraction; None where it is no ordinal number.

    >>> read_denominator(3, 8, "en"), read_denominator(1, 5, "it"), read_denominator(2, 5, "de")
    ('eighths', 'quinto', 'fünftel')
    """
    word = spell_out_ordinal(str(below), lang)
    if word is None or (lang not in _DENOMINATOR and lang != "de"):
        return None
    if lang == "de":
        return f"{word}l"
    singular, plural = _DENOMINATOR[lang]
    return word if above == 1 else word.removesuffix(singular) + plural
