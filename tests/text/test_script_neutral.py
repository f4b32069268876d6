"""Measures that are equally strict in every script."""

from __future__ import annotations

import zlib

import pytest

from twister_loop.text.script_neutral import compression_ratio, count_letters, is_unspaced


@pytest.mark.parametrize(
    "text",
    [
        "All human beings are born free and equal in dignity and rights.",
        "人人生而自由，在尊嚴和權利上一律平等。",
        "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
        "no no no no no no no no no no no no",
        "",
    ],
)
def test_the_ratio_is_the_one_of_openais_decoder_where_utf8_is_fair(text: str) -> None:
    encoded = text.encode()
    assert compression_ratio(text) == len(encoded) / len(zlib.compress(encoded))


def test_a_text_in_letters_of_another_alphabet_has_nearly_the_same_ratio() -> None:
    """Only the alphabet differs: each letter is replaced, so repetitions stay what they were."""
    english = "everyone has the right to freedom of thought, conscience and religion; " * 3
    for first_letter in ("\u03b1", "\u10d0", "\u0904", "\u0e01", "\u1000"):
        letters = {ord("a") + n: ord(first_letter) + n for n in range(26)}
        foreign = english.translate(letters)
        assert compression_ratio(foreign) == pytest.approx(compression_ratio(english), rel=0.1)
        assert count_letters(foreign) == count_letters(english)


def test_more_than_128_distinct_letters_are_no_error() -> None:
    signs = "".join(chr(0x12000 + n * 7 % 300) for n in range(300))
    assert count_letters(signs) == 300
    assert compression_ratio(signs) < 2.4 < compression_ratio(signs[:40] * 6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("སློབ་སྦྱོང་ནི་", True),
        ("ជនគ្រប់រូប", True),
        ("မြန်မာ", True),
        ("カラオケ", True),
        ("한국어", False),
        ("हिन्दी", False),
        ("今天天氣 OK", True),
        ("12345", False),
        ("", False),
    ],
)
def test_a_text_is_unspaced_if_most_of_its_letters_are(text: str, expected: bool) -> None:
    assert is_unspaced(text) is expected
