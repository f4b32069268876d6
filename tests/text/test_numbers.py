"""Numbers in digits and in words are one form, in every language that has number words."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from twister_loop.core.types import Utterance
from twister_loop.data.filters.agreement import Agreement
from twister_loop.evaluation.measures import Unit
from twister_loop.text.normalizers import _number_words
from twister_loop.text.normalizers._spelling import has_number_words, spell_out_number
from twister_loop.text.normalizers.basic import Basic

TABLE = Path(__file__).with_name("numbers.tsv")
CASES = [
    line.split("\t")
    for line in TABLE.read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
SPELLED = sorted(_number_words._load_table())
WITHOUT_WORDS = "el hi ur zh bg hr et ka hy km my bo yue xx".split()
normalize = Basic().normalize


@pytest.mark.parametrize(("lang", "written", "spoken", "kind"), CASES)
def test_written_and_spoken_numbers_are_equal(
    lang: str, written: str, spoken: str, kind: str
) -> None:
    normal = normalize(written, lang)
    assert normal == normalize(spoken, lang)
    assert has_number_words(lang) != any(char.isdigit() for char in normal)
    assert normalize(normal, lang) == normal
    assert normalize(f"a, {written}. b", lang).replace(" ", "") != "ab"


def test_the_table_has_at_least_thirty_languages_and_every_kind_of_number() -> None:
    assert len({lang for lang, *_ in CASES if has_number_words(lang)}) >= 40
    kinds = "separator percent currency sign word ordinal fraction time zeros".split()
    assert {kind for *_, kind in CASES} == set(kinds)


@pytest.mark.parametrize("lang", SPELLED)
def test_different_numbers_stay_different(lang: str) -> None:
    draw = random.Random(0)
    numbers = [*range(200), *(draw.randrange(200, 10**7) for _ in range(300))]
    assert len({normalize(str(number), lang) for number in numbers}) == len(set(numbers))
    written = ["3.5", "3.05", "35", "-35", "35%", "35 €", "035", "3500", "1/2", "2"]
    assert len({normalize(text, lang) for text in written}) == len(written)


@pytest.mark.parametrize(
    ("lang", "text", "normal"),
    [
        ("en", "It's $20.", "it s twenty dollars"),
        ("en", "1,000 or 3.5 or 007", "one thousand or three point five or zero zero seven"),
        ("en", "Version 3.5.2", "version three five two"),
        ("en", "at 192.168.0.1", "at one hundred ninety two one hundred sixty eight zero one"),
        (
            "en",
            "call 555 1234",
            "call five hundred fifty five one thousand two hundred thirty four",
        ),
        ("en", "on 24/7", "on twenty four seven"),
        ("en", "a day, an e-mail and a man", "a day an e mail and a man"),
        ("en", "5-10 people", "five ten people"),
        ("en", "two and three", "two and three"),
        ("it", "Costa 1.000 euro.", "costa mille euro"),
        ("it", "un uomo e una donna", "un uomo e una donna"),
        ("it", "alle 12.30", "alle dodici trenta"),
        ("de", "Es waren 3. Dann kam eine Frau.", "es waren drei dann kam eine frau"),
        ("fr", "le 06 12 34", "le zéro six douze trente quatre"),
        ("cs", "777 123 456", "sedm sto sedmdesát sedm sto dvacet tři čtyři sto padesát šest"),
    ],
)
def test_numbers_have_this_form(lang: str, text: str, normal: str) -> None:
    assert normalize(text, lang) == normal


@pytest.mark.parametrize(
    ("lang", "text", "normal"),
    [
        ("el", "κοστίζει 1.000 €", "κοστίζει 1000 ευρώ"),
        ("hi", "₹1,00,000 और 50%", "100000 और 50 प्रतिशत"),
        ("bg", "1 000 лева", "1000 лева"),
        ("zh", "1,000元", "1000元"),
        ("xx", "1,000", "1000"),
        ("el", "007", "007"),
    ],
)
def test_digits_have_one_form_in_languages_without_number_words(
    lang: str, text: str, normal: str
) -> None:
    assert normalize(text, lang) == normal
    assert normalize(normal, lang) == normal


def test_languages_without_number_words_are_named() -> None:
    assert Basic().languages_keeping_digits([*WITHOUT_WORDS, *SPELLED, None]) == sorted(
        WITHOUT_WORDS
    )
    assert Basic(numbers=False).languages_keeping_digits(WITHOUT_WORDS) == []


@settings(max_examples=400, deadline=None)
@given(lang=some.sampled_from([*SPELLED, *WITHOUT_WORDS]), random_=some.randoms())
def test_normalizing_numbers_twice_changes_nothing(lang: str, random_: random.Random) -> None:
    words = [spell_out_number(str(n), lang) for n in (1, 2, 19, 21, 100, 101, 1000, 10**6)]
    if around := _number_words.find_number_words(lang):
        fields = (around.joiner, around.ones, around.article, around.point, around.of)
        more = (around.cents, around.places, around.fractions, *around.money.values())
        words += " ".join((*fields, *more)).replace("|", " ").replace("_", " ").split()
    symbols = "0123456789" * 2 + " .,'%€$-+/:½º°a"
    text = " ".join(
        random_.choice(words)
        if random_.random() < 0.6
        else "".join(random_.choice(symbols) for _ in range(random_.randrange(1, 12)))
        for _ in range(random_.randrange(1, 8))
    )
    once = normalize(text, lang)
    assert normalize(once, lang) == once


@pytest.mark.parametrize("lang", [*SPELLED, *WITHOUT_WORDS])
def test_numbers_of_any_length_are_read(lang: str) -> None:
    for digits in ("9" * 16, "1" * 5000, "0" * 5000, ",".join(["100"] * 2000)):
        for text in (digits, f"3.{digits}", f"{digits}.5 €", f"${digits}%", f"-{digits}/{digits}"):
            assert normalize(text, lang)


@pytest.mark.parametrize("unit", ["words", "characters"])
def test_a_label_in_digits_agrees_with_words(unit: Unit) -> None:
    utterance = Utterance(
        id="0",
        audio_filepath=Path("a.wav"),
        duration=1.0,
        text="Costa 1.000 euro.",
        pred_text="Costa mille euro.",
        lang="it",
    )
    strict = Agreement(at_most=0.0, unit=unit)
    assert strict.objection(utterance) is None
    assert strict.objection(replace(utterance, pred_text="Costa due euro.")) is not None
