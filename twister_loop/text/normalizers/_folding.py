"""Folding of characters: spellings that differ in encoding or typing only become one form.

Order matters: sequences with joiners come before joiners are removed, compatibility characters
(NFKC) before case, case before the orthography of the language. Punctuation stays, because it tells
how numbers are read; `basic` removes it afterwards.

Sources: The Unicode Standard, version 15 (chapters by script), UAX #15 (normalization), UAX #29
(words), UTS #51 (emoji), CLDR (digits and number signs).
"""

from __future__ import annotations

import re
import unicodedata

from ...core.types import Language
from ._orthography import EARLY, LATE, LETTERS, fold_apostrophes, primary_subtag

DOTLESS_I_LANGUAGES = frozenset({"az", "crh", "gag", "tr"})
"""Languages in which I is the capital of ı, and İ that of i (Unicode, SpecialCasing.txt)."""

_APOSTROPHES = (
    "\u2018\u2019\u201b\u2032\uff07`\u00b4\uff40\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u02ca\u02cb"
    "\u0384\u1fbd\u1fbf\u1fef\u1ffd\u055a\u05f3\ua78b\ua78c"
)
_HYPHENS = "\u2010\u2011\u2012\u2212\ufe63\uff0d\u058a\u05be"
_KEYCAP = re.compile("[0-9#*]\ufe0f?\u20e3")
# After a digit, what NFKC makes of these would run on with it: "3½" is not 31/2, nor "10⁵" 105.
# (Patterns begin with what they replace and look behind it, which is several times faster.)
_AFTER_DIGIT = re.compile(r"[²³¹⁰⁴-⁹₀-₉¼-¾⅐-⅟↉](?<=\d.)")
# The inherent, unwritten boundary between words: it splits in scripts that have spaces, and is
# left out in Thai, Khmer and the like, where most texts do not have it.
_UNSPACED_SCRIPTS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
_ZERO_WIDTH_SPACE = re.compile(f"([{_UNSPACED_SCRIPTS}])\u200b+(?=[{_UNSPACED_SCRIPTS}])")
# Accents and voicing marks with nothing below them come from spacing accents such as ¨.
_STRAY_MARK = re.compile(
    r"(?<!\S)[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a]+"
)
_EMOJI_LETTERS = "\u2120\u2122\u2139\u24c2\u3297\u3299"
"""Emoji and marks that NFKC would turn into letters: ™, ℹ, Ⓜ, ㊗, ㊙."""
_IGNORABLE = (
    *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0),
    *(0x180B, 0x180C, 0x180D, 0x180F),
    *range(0xFE00, 0xFE10),
    *range(0xE0100, 0xE01F0),
    # Arabic vowel marks by themselves, which NFKC would put behind a space.
    *(code for code in range(0xFE70, 0xFE80) if code != 0xFE73),
    *range(0xFC5E, 0xFC64),
)
"""Characters without a shape that are no format characters (Default_Ignorable_Code_Point)."""
_VISIBLE_FORMATS = frozenset(
    (*range(0x0600, 0x0606), 0x06DD, 0x070F, 0x0890, 0x0891, 0x08E2, 0x110BD, 0x110CD)
)
"""Format characters that are drawn, such as the Arabic end of ayah."""


class _Compatibility(dict[int, str]):
    """Translation before NFKC: removes what has no shape, and keeps emoji from becoming letters."""

    def __missing__(self, code: int) -> str:
        return self.setdefault(code, self._translate(chr(code), code))

    @staticmethod
    def _translate(char: str, code: int) -> str:
        category = unicodedata.category(char)
        if category == "Cf":
            # The zero-width space that is left here stands between words (UAX #29).
            return " " if code == 0x200B or code in _VISIBLE_FORMATS else ""
        if category == "Me":
            return ""
        if 0x1F000 <= code <= 0x1FAFF and category[0] == "S":
            return " "
        # Circled, parenthesized and full-stopped numbers are not digits of their neighbors.
        is_enclosed = 0x2460 <= code <= 0x249B or 0x24EA <= code <= 0x24FF
        if is_enclosed or 0x2776 <= code <= 0x2793 or 0x3248 <= code <= 0x32BF:
            number = unicodedata.numeric(char, None)
            return char if number is None else f" {number:.0f} "
        return char


class _Folded(dict[int, str]):
    """Translation after NFKC and casefold: digits of every script, and optional marks."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        digit = unicodedata.decimal(char, None)
        return self.setdefault(code, char if digit is None else str(digit))


_COMPATIBILITY = _Compatibility(
    {
        **dict.fromkeys(map(ord, _APOSTROPHES), "'"),
        **dict.fromkeys(map(ord, _EMOJI_LETTERS), " "),
        **dict.fromkeys(_IGNORABLE, ""),
        0x309B: "\u3099",
        0x309C: "\u309a",
    }
)
_FOLDED = _Folded(
    {
        **dict.fromkeys(map(ord, _HYPHENS), "-"),
        **dict.fromkeys(map(ord, _APOSTROPHES), "'"),
        # CLDR: the signs of Arabic numbers.
        0x066A: "%",
        0x066B: ".",
        0x066C: ",",
        # Arabic, chapter 9.2: vowel marks, Quranic marks and the elongation of a line.
        **dict.fromkeys((*range(0x0610, 0x061B), *range(0x064B, 0x0653), 0x0640, 0x0670), ""),
        **dict.fromkeys((*range(0x0656, 0x0660), *range(0x06D6, 0x06DD)), ""),
        **dict.fromkeys((*range(0x06DF, 0x06E5), 0x06E7, 0x06E8, *range(0x06EA, 0x06EE)), ""),
        **dict.fromkeys((*range(0x0898, 0x08A0), *range(0x08CA, 0x08E2)), ""),
        **dict.fromkeys(range(0x08E3, 0x0900), ""),
        0x0671: "\u0627",
        # Hebrew, chapter 9.1: points and accents; the digraphs of Yiddish are two letters each.
        **dict.fromkeys(
            (*range(0x0591, 0x05BE), 0x05BF, 0x05C1, 0x05C2, 0x05C4, 0x05C5, 0x05C7), ""
        ),
        0x05F0: "\u05d5\u05d5",
        0x05F1: "\u05d5\u05d9",
        0x05F2: "\u05d9\u05d9",
        # Syriac, chapter 9.3: vowel points.
        **dict.fromkeys((0x0711, *range(0x0730, 0x074B)), ""),
        # Armenian, chapter 7.6: marks of tone and abbreviation stand within words.
        **dict.fromkeys((0x0559, 0x055B, 0x055C, 0x055E, 0x055F), ""),
        # Devanagari, chapter 12.1: accents of Vedic recitation.
        **dict.fromkeys(
            (*range(0x0951, 0x0955), *range(0x1CD0, 0x1CD3), *range(0x1CD4, 0x1CE9)), ""
        ),
        # Malayalam, chapter 12.9: the vowel sign au of newer orthography.
        0x0D57: "\u0d4c",
        # French, and Latin words in English.
        0x0153: "oe",
    }
)


def fold_characters(text: str, lang: Language | None) -> str:
    r"""Return a text in which spellings of one word that differ in encoding or typing are equal.

    Lower case; ASCII digits; no marks that are optional in writing, no emoji, no joiners; one
    apostrophe and one hyphen. Other punctuation and spaces stay.

    >>> fold_characters("DELL\u2019UTENTE: \u0967\u0968 \u2764\ufe0f", "it")
    "dell'utente: 12 \u2764"
    >>> fold_characters("I\u0307stanbul", "tr"), fold_characters("I\u0307stanbul", "de")
    ('istanbul', 'istanbul')
    """
    language = primary_subtag(lang)
    text = _ZERO_WIDTH_SPACE.sub(r"\1", _AFTER_DIGIT.sub(r" \g<0>", _KEYCAP.sub(" ", text)))
    for pattern, replacement in (*EARLY.get(language, ()), *EARLY[""]):
        text = pattern.sub(replacement, text)
    text = unicodedata.normalize("NFKC", text.translate(_COMPATIBILITY))
    if language in DOTLESS_I_LANGUAGES:
        text = text.replace("I", "ı").replace("İ", "i")
    # NFKC again after casefold, which decomposes some letters; among them İ, to i and a dot.
    text = unicodedata.normalize("NFKC", text.casefold()).translate(_FOLDED)
    text = re.sub("([ijį])\u0307+", r"\1", text)
    if language in LETTERS:
        text = text.translate(LETTERS[language])
    for pattern, replacement in (*LATE.get(language, ()), *LATE[""]):
        text = pattern.sub(replacement, text)
    # Removed marks may have stood between letters and marks that compose.
    return unicodedata.normalize("NFKC", fold_apostrophes(text, language))


def join_words(text: str) -> str:
    r"""Return the words of a text with single spaces, without marks that have no letter below them.

    >>> join_words(" one  \u0301 two ")
    'one two'
    """
    return " ".join(_STRAY_MARK.sub("", text).split())
