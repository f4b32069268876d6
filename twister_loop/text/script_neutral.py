"""Measures of texts that are equally strict in every script.

UTF-8 spells a letter with one byte in English, two in Greek and three in Hindi, and a Chinese
character stands for a syllable, which takes several letters in an alphabet. So neither bytes nor
characters can have one limit for all languages; the letters that are counted here can.
"""

from __future__ import annotations

import unicodedata
import zlib

from ..core.types import UNSPACED
from .scripts import SCRIPTS, count_scripts

# Tibetan marks its syllables, and puts spaces between clauses only.
_UNSPACED_SCRIPTS = {script for lang in (*UNSPACED, "bo") for script in SCRIPTS[lang].split()}

MAX_COMPRESSION_RATIO = 2.4
"""Compression ratio above which a text repeats itself; the threshold of OpenAI's decoder."""


def encode_letters(text: str) -> bytes:
    """Return a text as bytes, one for a letter of any alphabet, and several for a syllable.

    ASCII characters are themselves. Wide characters (Han, kana and Hangul, as Unicode's East Asian
    Width has them), each of which is a syllable or more, are three bytes as in UTF-8. Every other
    character is one byte from 128 on, numbered as they occur.

    >>> [len(encode_letters(text)) for text in ("parola", "слово", "शब्द", "字")]
    [6, 5, 4, 3]
    """
    numbers: dict[str, int] = {}
    encoded = bytearray()
    for character in text:
        if character.isascii():
            encoded.append(ord(character))
        elif unicodedata.east_asian_width(character) in "WF":
            encoded += character.encode(errors="replace")
        else:
            # Few texts have more than 128 such characters; those that share a byte then can only
            # raise the compression ratio of a text so varied that it is low.
            encoded.append(128 + numbers.setdefault(character, len(numbers)) % 128)
    return bytes(encoded)


def count_letters(text: str) -> int:
    """Return the length of a text without spaces, where a Han character or the like counts thrice.

    Speech has about 8 to 23 of them a second in any language (BENCHMARKS.md).

    >>> count_letters("due parole"), count_letters("两个字")
    (9, 9)
    """
    return len(encode_letters("".join(text.split())))


def compression_ratio(text: str) -> float:
    """Return the letters of a text divided by its bytes when compressed; a loop has a high ratio.

    For English, Chinese, Japanese and Korean this is the ratio of OpenAI's decoder, which
    compresses UTF-8, so its threshold of 2.4 has the same meaning; scripts whose letters take two
    or three bytes in UTF-8 no longer seem repetitive.

    >>> round(compression_ratio("वह घर जाता है। " * 6), 1), round(compression_ratio("यह ठीक है।"), 1)
    (3.5, 0.6)
    """
    # zlib with its header, as in OpenAI's decoder: its threshold is for this ratio.
    encoded = encode_letters(text)
    return len(encoded) / len(zlib.compress(encoded))


def is_unspaced(text: str) -> bool:
    """Return whether most letters are of scripts that are written without spaces between words.

    >>> is_unspaced("ไปโรงเรียน"), is_unspaced("iPhone 很好用"), is_unspaced("學校")
    (True, False, True)
    """
    letters = count_scripts(text)
    unspaced = sum(count for script, count in letters.items() if script in _UNSPACED_SCRIPTS)
    return 2 * unspaced > letters.total()
