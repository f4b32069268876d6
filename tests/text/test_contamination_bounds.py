"""Held-out texts at the limits of each rule: what is just near enough is found, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from twister_loop import Utterance
from twister_loop.text.comparison_form import (
    count_comparison_letters,
    fold_for_comparison,
    is_written_without_spaces,
)
from twister_loop.text.contamination import (
    BATCH,
    HeldOutTexts,
    batched,
    count_long_run,
    holds_part,
    is_too_short,
)


def line(text: str | None, lang: str | None = "en", **fields: Any) -> Utterance:
    return Utterance(id="x", text=text, lang=lang, **fields)


def is_found(text: str, *held_out: str, lang: str | None = "en") -> bool:
    return HeldOutTexts([line(other, lang) for other in held_out]).is_near_duplicate(
        line(text, lang)
    )


WORDS = "alpha bravo candy delta eagle fancy gamma hotel index joker".split()
TEXT = " ".join(WORDS)
STRANGE = "zulu yoyo xray whisky vodka umbrella tango sugar romeo quiz".split()


def with_strange(count: int, *, in_order: bool = True) -> str:
    """Return the ten words, of which so many at the end are others."""
    mixed = WORDS[: 10 - count] + STRANGE[:count]
    return " ".join(mixed if in_order else mixed[::-1])


def test_two_thirds_of_the_words_in_their_order_are_too_near() -> None:
    assert is_found(TEXT, TEXT)
    assert is_found(with_strange(3), TEXT)
    assert not is_found(with_strange(4), TEXT)
    # Two thirds of nine exactly.
    nine = " ".join(WORDS[:9])
    assert is_found(" ".join(WORDS[:6] + STRANGE[:3]), nine)
    assert not is_found(" ".join(WORDS[:5] + STRANGE[:4]), nine)


def test_four_fifths_of_the_words_in_any_order_are_too_near() -> None:
    assert is_found(with_strange(2, in_order=False), TEXT)
    assert not is_found(with_strange(3, in_order=False), TEXT)


def test_letters_are_compared_without_their_spaces() -> None:
    """Other spaces and a few other letters leave no two words the same."""
    joined = TEXT.replace(" ", "")
    assert is_found(" ".join(joined[start : start + 7] for start in range(0, 50, 7)), TEXT)
    assert is_found(joined, TEXT)
    # No word is the same, and 18 of 24 letters are.
    sentence = "abcd efgh ijkl mnop qrst uvwx"
    assert is_found("abcde fghij klmno pqr11 1111", sentence)
    assert not is_found("abcde fghij klmno pq111 1111", sentence)


def test_a_text_that_holds_a_held_out_one_is_found() -> None:
    five = " ".join(WORDS[:5])
    long = " ".join([*STRANGE, *WORDS[:5], *STRANGE[::-1]])
    assert is_found(long, five) and not is_found(" ".join([*STRANGE, *STRANGE[::-1]]), five)


def test_a_long_part_of_a_held_out_text_is_found() -> None:
    """Forty letters in a row, or three quarters of a shorter text."""
    thirty = " ".join([*WORDS, *STRANGE, *(word[::-1] for word in WORDS)])
    assert is_found(" ".join(WORDS[:8]), thirty), "40 letters"
    assert not is_found(" ".join(WORDS[:7]), thirty), "35 letters"
    assert is_found(" ".join([*STRANGE[5:], *WORDS[:8], *STRANGE[5:]]), thirty)


def test_all_but_one_word_of_a_short_sentence_is_found_though_all_its_words_are_common() -> None:
    """Sixty held-out texts make every word of them common."""
    held_out = [" ".join(WORDS[:5])] + [
        f"{first} {second}"
        for first in STRANGE[:6]
        for second in ("bravo candy eagle delta alpha",)
    ] * 12
    assert is_found("eagle delta candy bravo other", *held_out)
    assert not is_found("eagle delta candy other others", *held_out[:1])


@pytest.mark.parametrize(
    ("text", "too_short"),
    [
        ("a b c d", True),
        ("a b c d e", False),  # five words
        ("abcdefghij abcdefghi", True),  # 19 letters
        ("abcdefghij abcdefghij", False),  # 20 letters
        ("abcdefghijabcdefghij", False),
        ("", True),
        ("今日は良い天", True),  # six characters count for 18 letters
        ("今日は良い天気", False),
        ("今 日 は 良 い", True),  # spaces make no words of characters
    ],
)
def test_texts_under_five_words_and_twenty_letters_are_too_short(
    text: str, too_short: bool
) -> None:
    assert is_too_short(text) is too_short
    assert is_found(text, text, lang=None) is not too_short


def test_few_words_have_to_be_nearly_the_same_letter_by_letter() -> None:
    """In a text of two long words one of them is half of it."""
    assert is_found("abcdefghij abcdefghix", "abcdefghij abcdefghij")  # 19 of 20
    assert is_found("abcdefghij abcdefghxx", "abcdefghij abcdefghij")  # 18 of 20
    assert not is_found("abcdefgxxx bcdefghixx", "abcdefghij bcdefghijk")


@pytest.mark.parametrize(
    ("letters", "run"),
    [
        ("a" * 20, 20),
        ("a" * 26, 20),
        ("a" * 27, 21),
        ("a" * 28, 21),
        ("a" * 52, 39),
        ("a" * 53, 40),
        ("a" * 54, 40),
        ("a" * 500, 40),
        ("日" * 10, 8),  # 30 letters, of which 22.5 are 7.5 characters
        ("日" * 40, 14),  # 40 letters are 13.3 characters
    ],
)
def test_a_long_part_is_three_quarters_or_forty_letters(letters: str, run: int) -> None:
    assert count_long_run(letters) == run


def test_a_part_is_held_if_it_is_the_same_or_nearly() -> None:
    held_out = "abcdefghijklmnopqrstuvwxyz"
    assert holds_part(f"123{held_out[:20]}456", held_out, 20)
    assert holds_part(f"123{held_out[-20:]}456", held_out, 20)
    assert not holds_part(held_out[:19], held_out, 20)
    # A longer text that holds it with three of 26 letters exchanged, and with six of them.
    assert holds_part("1234567890abcd1fghijkl2nopqrs3uvwxyz1234567890", held_out, 20)
    assert not holds_part("1234567890a1cd2fgh3jkl4nop5rst6vwxyz1234567890", held_out, 20)
    # A text that is itself a part has to be a long one.
    assert holds_part("abcdefghi1klmnopqrst", held_out, 21)
    assert not holds_part("abcdefghi1klmnopqrs", held_out, 21), "19 letters"


def test_short_texts_are_told_if_they_are_equal() -> None:
    index = HeldOutTexts([line("Sì, grazie!", "it"), line("no", "it"), line("Premi 2", "it")])
    assert index.texts == ["Sì, grazie!", "no", "Premi 2"]
    equal = {
        text: list(index.find_equal_short_texts(line(text, "it")))
        for text in ("si grazie", "SI-GRAZIE", "premi due", "Premi 2.", "grazie", "", "no" * 150)
    }
    assert equal == {
        "si grazie": [0],
        "SI-GRAZIE": [0],
        "premi due": [2],
        "Premi 2.": [2],
        "grazie": [],
        "": [],
        "no" * 150: [],
    }
    assert not any(index.find_near_duplicates([line("si grazie", "it"), line("no", "it")]))
    spoken = HeldOutTexts([line("premi due", "it")])
    assert list(spoken.find_equal_short_texts(line("Premi 2", "it"))) == [0]
    both = HeldOutTexts([line("no", "it"), line(TEXT), line("No!", "it")])
    assert list(both.find_equal_short_texts(line("NO", "it"))) == [0, 2]
    assert list(HeldOutTexts([line(TEXT)]).find_equal_short_texts(line("no"))) == []


def test_many_texts_are_looked_up_in_order_with_the_numbers_of_what_they_are_near_to() -> None:
    held_out = [line("no"), line(TEXT), line(None), line(" ".join(STRANGE)), line(TEXT.upper())]
    index = HeldOutTexts(held_out)
    texts = ["something entirely different from all of these", *([""] * BATCH), TEXT]
    texts += [" ".join(STRANGE), f"{TEXT} {' '.join(STRANGE)}"]
    found = list(index.find_near_duplicates(map(line, texts)))
    assert found[: BATCH + 1] == [set()] * (BATCH + 1)
    assert found[BATCH + 1 :] == [{1, 4}, {3}, {1, 3, 4}]
    assert list(HeldOutTexts([]).find_near_duplicates([line(TEXT)])) == [set()]


def test_numbers_are_compared_as_normalizers_read_them() -> None:
    spoken = "il treno parte alle ore venti dal binario tre"
    assert is_found("Il treno parte alle ore 20 dal binario 3", spoken, lang="it")
    assert is_found(spoken, "Il treno parte alle ore 20 dal binario 3.", lang="it")
    percents = "il 50 % dei 30 clienti"
    assert is_found("il cinquanta percento dei trenta clienti", percents, lang="it")


@pytest.mark.parametrize(
    ("text", "held_out"),
    [
        ("今日はとても良い天気です", "今日はとても良い天気だ"),
        ("見面以後我們一起去吃飯吧", "见面以后我们一起去吃饭吧"),
        ("キョウハイイテンキデスネ", "きょうはいいてんきですね"),
        ("วันนี้อากาศดีมาก ๆ เลยนะ", "วันนี้อากาศดีมากๆเลยนะ"),
        ("오늘 날씨가 정말 좋네요 그렇죠", "오늘날씨가 정말좋네요 그렇죠"),
        ("рlеаsе hоld thе linе nоw", "please hold the line now"),  # Cyrillic letters
        ("Ｐｌｅａｓｅ ｈｏｌｄ the line now", "please hold the line now"),
    ],
)
def test_other_spellings_are_found_in_every_script(text: str, held_out: str) -> None:
    assert is_found(text, held_out, lang=None) and is_found(held_out, text, lang=None)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Hello,  WORLD\t1!", "hello world 1"),
        ("", ""),
        ("Crème brûlée", "creme brulee"),
        ("STRASSE straße", "strasse strasse"),
    ],
)
def test_the_form_has_no_case_accents_or_punctuation(text: str, folded: str) -> None:
    assert fold_for_comparison(text) == folded


def test_the_form_of_letters_digits_and_marks() -> None:
    folded = {
        "soft\u00adhy\u200dphen": "softhyphen",
        "٣ ३ ３": "3 3 3",
        "שָׁלוֹם": "שלום",
        "مَرْحَبًا": "مرحبا",
        "ガギグ": "かきく",
        "e-mail/fax": "e mail fax",
        "①": "1",
        "ᴀʙᴄ": "abc",
        "—": "",
    }
    assert {text: fold_for_comparison(text) for text in folded} == folded


def test_wide_characters_count_for_three_letters() -> None:
    counts = {"": 0, "ab cd": 4, "日本": 6, "ab 日": 5, "カナ": 6, "한국": 2, "é": 1, "𠀀": 3}
    assert {text: count_comparison_letters(text) for text in counts} == counts


def test_scripts_without_spaces_are_those_of_most_letters() -> None:
    assert is_written_without_spaces("日本a") and is_written_without_spaces("ไทย")
    assert is_written_without_spaces("ລາວ") and is_written_without_spaces("မြန်မာ")
    assert is_written_without_spaces("ខ្មែរ") and is_written_without_spaces("日本 ab日")
    assert not is_written_without_spaces("日本 ab") and not is_written_without_spaces("日 a b c")
    assert not is_written_without_spaces("한국어") and not is_written_without_spaces("")
    assert not is_written_without_spaces("ascii")


def test_batches_hold_all_and_the_last_is_shorter() -> None:
    assert [len(batch) for batch in batched(map(line, "abcde"), 2)] == [2, 2, 1]
    assert list(batched([], 2)) == []
