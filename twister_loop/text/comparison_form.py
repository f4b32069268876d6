"""Form of texts in which leaks are found: what looks or sounds the same is written the same.

The form is not for reading and not for error rates. It is coarser than any normalizer: it has no
case, accents, punctuation or optional marks; letters that look alike in the Latin, Greek, Cyrillic
and Armenian scripts are one letter, katakana is hiragana, traditional characters are simplified.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

LOOK_ALIKES = str.maketrans(
    # Cyrillic, Greek, Armenian, other Latin letters, small capitals.
    "авекмнорстухіѕјһԁԛԝӏ" "αβεζηικμνορτυχω" "օոսհյք" "ıɑɡɩøđłʏ" "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡᴢ",
    "abekmhopctyxisjhdqwl" "abeznikmvoptuxw" "onuhjp" "iagiodly" "abcdefghijklmnoprstuvwz",
)  # fmt: skip
"""Small letters that look like a letter of the Latin alphabet, or like one with a stroke left out;
after Unicode's confusables (UTS #39), as far as fonts of running text have them."""
_OPTIONAL_MARKS = (
    (0x0300, 0x0370), (0x0591, 0x05C8), (0x0610, 0x061B), (0x0640, 0x0641), (0x064B, 0x0660),
    (0x0670, 0x0671), (0x06D6, 0x06EE), (0x1AB0, 0x1B00), (0x1DC0, 0x1E00), (0x20D0, 0x2100),
    (0x3099, 0x309B),
)  # fmt: skip
"""Code points of accents, of Hebrew and Arabic vowels, and of the voicing marks of kana."""
_KATAKANA = range(0x30A1, 0x30F7)
_KATAKANA_TO_HIRAGANA = -0x60
_HAN = range(0x3400, 0xA000)
WIDE = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Range for a pattern: characters that are a syllable or a word, which count as several letters."""
_WIDE_CHARACTER = re.compile(f"[{WIDE}]")
_UNSPACED_CHARACTER = re.compile(f"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff{WIDE}]")
MIN_WORDS = 5
MIN_LETTERS = 20
"""A text with fewer words and fewer letters is too short to be compared: a common phrase."""
LETTERS_IN_WIDE = 3
"""Letters that a wide character counts for, as in `text.script_neutral`."""
_ASCII = bytes(
    ord(chr(code).lower()) if code < 128 and chr(code).isalnum() else ord(" ")
    for code in range(256)
)


class _Letters(dict[int, str]):
    """Translation of a decomposed small letter, made on first use of each."""

    def __missing__(self, code: int) -> str:
        return self.setdefault(code, self._translate(code))

    @staticmethod
    def _translate(code: int) -> str:
        character = chr(code)
        if any(first <= code < end for first, end in _OPTIONAL_MARKS):
            return ""
        category = unicodedata.category(character)
        if category == "Cf":  # joiners, soft hyphens and bidirectional marks, within words
            return ""
        if category == "Nd":
            return str(unicodedata.decimal(character))
        if category[0] not in "LNM":
            return " "
        if code in _KATAKANA:
            return chr(code + _KATAKANA_TO_HIRAGANA)
        if code in _HAN or code >= 0x20000:
            return _load_simplified().get(character, character)
        return character.translate(LOOK_ALIKES)


_LETTERS = _Letters()


def fold_for_comparison(text: str) -> str:
    """Return the words of a text in the form in which leaks are found, separated by spaces.

    Traditional characters become simplified ones if the extra `mandarin` is installed.

    >>> fold_for_comparison("Grüß Gott!"), fold_for_comparison("カナ ٢"), fold_for_comparison("ЁЖ")
    ('gruss gott', 'かな 2', 'eж')
    """
    if text.isascii():  # the usual case, many times faster
        return " ".join(text.encode().translate(_ASCII).decode().split())
    # Word by word, because most words of a corpus have occurred before.
    return " ".join(filter(None, map(_fold_word, text.split())))


def count_comparison_letters(folded: str) -> int:
    """Return the letters of a folded text, in which a Han or kana character counts as three.

    >>> count_comparison_letters("due parole"), count_comparison_letters("您好")
    (9, 6)
    """
    letters = len(folded) - folded.count(" ")
    if folded.isascii():
        return letters
    return letters + (LETTERS_IN_WIDE - 1) * len(_WIDE_CHARACTER.findall(folded))


def is_written_without_spaces(folded: str) -> bool:
    """Return whether most letters of a folded text are of scripts without spaces.

    >>> is_written_without_spaces("ไปโรงเรียน"), is_written_without_spaces("iphone 很")
    (True, False)
    """
    if folded.isascii():
        return False
    return 2 * len(_UNSPACED_CHARACTER.findall(folded)) > len(folded) - folded.count(" ")


def is_too_short(folded: str) -> bool:
    """Return whether a folded text has too few words and letters to tell it from a common phrase.

    >>> is_too_short("grazie mille"), is_too_short("se tu ne vai io"), is_too_short("您拨打的电话")
    (True, False, True)
    """
    letters = len(folded) - folded.count(" ")
    if letters >= MIN_LETTERS:
        return False
    if folded.count(" ") + 1 >= MIN_WORDS and not is_written_without_spaces(folded):
        return False
    return folded.isascii() or count_comparison_letters(folded) < MIN_LETTERS


@lru_cache(2**16)
def _fold_word(word: str) -> str:
    """Return a word in this form: none, one or, where punctuation joined them, several words."""
    # Decomposed after the case too: some small letters have an accent that their capitals lack.
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", word).casefold())
    return " ".join(decomposed.translate(_LETTERS).split())


@cache
def _load_simplified() -> dict[str, str]:
    """Return the simplified character of each traditional one; empty without OpenCC."""
    try:
        from .normalizers.mandarin import CONVERSIONS, VARIANTS, load_converter
    except ImportError:
        return {}
    characters = "".join(map(chr, _HAN))
    simplified = characters
    for conversion in CONVERSIONS:
        # One character a line, so that OpenCC sees no phrases.
        converted = load_converter(conversion).convert("\n".join(simplified))
        simplified = "".join(line[:1] for line in converted.split("\n"))
    pairs = zip(characters, simplified.translate(VARIANTS), strict=True)
    return {character: simple for character, simple in pairs if character != simple}
