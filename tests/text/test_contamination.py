"""What is too near to a held-out text is found, and what is only similar is not."""

from __future__ import annotations

import pytest

from tests.leak_cases import LEAKED_TEXTS, NEIGHBOR_TEXTS, TextCase
from twister_loop import Utterance
from twister_loop.text import contamination
from twister_loop.text.comparison_form import fold_for_comparison, is_too_short
from twister_loop.text.contamination import HeldOutTexts
from twister_loop.text.normalizers._base import Normalizer

OTHERS = [case.held_out for case in NEIGHBOR_TEXTS]
"""Other held-out texts, so that words are common or rare as in a real set."""


def line(text: str, lang: str | None = "en") -> Utterance:
    return Utterance(id="t", text=text, lang=lang)


@pytest.fixture(scope="module")
def index() -> HeldOutTexts:
    return HeldOutTexts(line(case.held_out, case.lang) for case in [*LEAKED_TEXTS, *NEIGHBOR_TEXTS])


@pytest.mark.parametrize("case", LEAKED_TEXTS, ids=lambda case: f"{case.lang}: {case.kind}")
def test_a_leak_is_found_alone_and_among_others(case: TextCase, index: HeldOutTexts) -> None:
    if case.lang == "zh":
        pytest.importorskip("opencc")
    alone = HeldOutTexts([line(case.held_out, case.lang)])
    assert alone.is_near_duplicate(line(case.text, case.lang))
    (numbers,) = index.find_near_duplicates([line(case.text, case.lang)])
    assert case.held_out in {index.texts[number] for number in numbers}


@pytest.mark.parametrize("case", NEIGHBOR_TEXTS, ids=lambda case: f"{case.lang}: {case.kind}")
def test_a_neighbor_stays(case: TextCase, index: HeldOutTexts) -> None:
    alone = HeldOutTexts([line(case.held_out, case.lang)])
    assert not alone.is_near_duplicate(line(case.text, case.lang))
    assert not index.is_near_duplicate(line(case.text, case.lang))


@pytest.mark.parametrize(
    ("text", "is_near"),
    [
        # Ten words: 8 of 10 in another order, then 7 of 10; 7 of 10 in the same order, then 6.
        ("ten nine eight seven six five four three other words", True),
        ("ten nine eight seven six five four some other words", False),
        ("one two three four five six seven some other words", True),
        ("one two three four five six with some other words", False),
        # Two of three in the same order: exactly at the bound with eight of twelve.
        ("one two three four five six seven eight with some other words", True),
    ],
)
def test_the_bounds_of_words_in_common(text: str, is_near: bool) -> None:
    held_out = [line("one two three four five six seven eight nine ten")]
    held_out += [line(other) for other in OTHERS]
    assert HeldOutTexts(held_out).is_near_duplicate(line(text)) is is_near


@pytest.mark.parametrize(("changed", "is_near"), [(2, True), (3, False)])
def test_eight_of_ten_characters_are_the_bound_without_spaces(changed: int, is_near: bool) -> None:
    held_out = "春夏秋冬东西南北天地"
    text = "".join(reversed("高低大小"[:changed] + held_out[changed:]))
    assert HeldOutTexts([line(held_out, "zh")]).is_near_duplicate(line(text, "zh")) is is_near


@pytest.mark.parametrize(("edits", "is_near"), [(10, True), (11, False)])
def test_three_quarters_of_the_letters_are_the_bound(edits: int, is_near: bool) -> None:
    held_out = "abcde fghij klmno pqrst uvwxy edcba jihgf onmlk"
    # One letter of every word, and then second ones: 30 or 29 of 40 letters are as they were.
    places = [0, 10, 12, 22, 24, 34, 36, 46, 1, 13, 25][:edits]
    text = "".join("z" if place in places else letter for place, letter in enumerate(held_out))
    assert HeldOutTexts([line(held_out)]).is_near_duplicate(line(text)) is is_near


@pytest.mark.parametrize(("letters", "is_near"), [(40, True), (39, False)])
def test_forty_letters_in_a_row_are_a_long_part(letters: int, is_near: bool) -> None:
    held_out = "the quick brown foxes jumped over the lazy dogs while seven wizards boiled a kettle"
    held_out += " of strong black tea behind their wooden house"
    row = held_out.replace(" ", "")[:letters]
    text = "xq zv " * 12 + row + " vz qx" * 12
    assert HeldOutTexts([line(held_out)]).is_near_duplicate(line(text)) is is_near


@pytest.mark.parametrize(
    ("text", "lang", "is_short"),
    [
        ("one two three four", "en", True),
        ("one two three four five", "en", False),
        ("abcdefghi jklmnopqrs", "en", True),  # 19 letters
        ("abcdefghij jklmnopqrs", "en", False),  # 20 letters
        ("电话号码是空", "zh", True),  # 6 characters, as 18 letters
        ("电话号码是空号", "zh", False),
        ("", "en", True),
    ],
)
def test_the_bounds_of_texts_that_are_too_short(text: str, lang: str, is_short: bool) -> None:
    assert is_too_short(fold_for_comparison(text)) is is_short
    assert HeldOutTexts([line(text, lang)]).is_near_duplicate(line(text, lang)) is not is_short


def test_short_texts_are_found_if_they_are_equal_in_any_spelling() -> None:
    index = HeldOutTexts([line("Sì, 2!", "it"), line("premere il tasto uno adesso", "it")])
    assert index.find_equal_short_texts(line("si due", "it")) == [0]
    assert index.find_equal_short_texts(line("sì 2", "it")) == [0]
    assert not index.find_equal_short_texts(line("no due", "it"))
    assert not index.find_equal_short_texts(line("premere il tasto uno adesso", "it"))


def test_texts_are_compared_in_the_form_of_the_plans_normalizer_too() -> None:
    normalizer = Normalizer.build({"use": "whisper_english"})
    held_out = [line("we're gonna be there but we won't stay")]
    text = line("we are going to be there but we will not stay")
    assert not HeldOutTexts(held_out).is_near_duplicate(text)
    assert HeldOutTexts(held_out, normalizer).is_near_duplicate(text)


def test_many_texts_are_searched_at_once_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    index = HeldOutTexts(line(case.held_out, case.lang) for case in LEAKED_TEXTS)
    texts = [line(case.text, case.lang) for case in [*LEAKED_TEXTS, *NEIGHBOR_TEXTS]]
    at_once = list(index.find_near_duplicates(texts))
    monkeypatch.setattr(contamination, "BATCH", 1)
    assert list(index.find_near_duplicates(texts)) == at_once
    assert len(at_once) == len(texts)


def test_nothing_is_near_without_held_out_texts() -> None:
    index = HeldOutTexts([])
    assert list(index.find_near_duplicates([line("please hold the line for me"), line("")])) == [
        set(),
        set(),
    ]
    assert not HeldOutTexts([line("please hold the line for me")]).is_near_duplicate(line(""))
