"""Normalizers, their digests, and scripts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from num2words import CONVERTER_CLASSES

from twister_loop.core.errors import ConfigError
from twister_loop.evaluation import metrics
from twister_loop.text import scripts
from twister_loop.text.normalizers import _spelling
from twister_loop.text.normalizers._base import Normalizer

ROOT = Path(__file__).parents[2]
NAMES = [{"use": name} for name in Normalizer.list_names()]
VARIANTS = [
    *NAMES,
    {"use": "basic", "numbers": False},
    {"use": "korean", "readings": True},
    {"use": "korean", "jamo": True},
    {"use": "mixed", "hangul": "syllable"},
]
NOT_IDEMPOTENT = {"whisper_english"}
"""OpenAI's own reads "o" by itself as the number 0, and its output again."""


@pytest.mark.parametrize("name", ["french", "Italian", "fr"])
def test_a_language_instead_of_a_normalizer_gets_an_answer_and_no_list_alone(name: str) -> None:
    with pytest.raises(ConfigError, match=f"of its own for {name}: `basic`, the default"):
        Normalizer.build({"use": name})
    with pytest.raises(ConfigError, match="did you mean 'basic'"):
        Normalizer.build({"use": "basics"})


def normalizer(**spec: Any) -> Normalizer:
    try:
        return Normalizer.build(spec)
    except Exception as missing:
        if "needs the package" in str(missing):
            pytest.skip(str(missing))
        raise


@pytest.mark.parametrize(
    ("spec", "lang", "text", "normal"),
    [
        ({"use": "basic"}, "it", "Premi  2, oppure «#»!", "premi due oppure"),
        ({"use": "basic"}, "it", "L’utente", "l utente"),
        ({"use": "basic"}, None, "ＡＢＣ ﬁ", "abc fi"),
        ({"use": "basic"}, "en", "twenty-one 21", "twenty one twenty one"),
        ({"use": "basic"}, "xx", "2", "2"),
        ({"use": "basic"}, "hi", "नमस्ते", "नमस्ते"),
        ({"use": "basic"}, "ko", "안녕, 하세요.", "안녕 하세요"),
        ({"use": "basic"}, "it", "9" * 20, "9" * 20),
        ({"use": "basic", "numbers": False}, "it", "Premi 2", "premi 2"),
        ({"use": "whisper_basic"}, "fr", "Ça va? [rires] (bien)", "ça va"),
        (
            {"use": "whisper_english"},
            "en",
            "Mr. Smith won't pay $20",
            "mister smith will not pay $20",
        ),
        ({"use": "whisper_english"}, "en", "the colour of twenty-one", "the color of 21"),
        ({"use": "whisper_english"}, "it", "La colour!", "la colour"),
        ({"use": "korean"}, "ko", "3시에 KBS 뉴스를, 봤어요.", "3시에 kbs 뉴스를 봤어요"),
        ({"use": "korean"}, "ko", "\u1112\u1161\u11ab", "한"),
        ({"use": "korean", "readings": True}, "ko", "3시에 KBS", "세시에 케이비에스"),
        ({"use": "korean", "readings": True}, "ko", "70% 2024년", "칠십퍼센트 이천이십사년"),
        ({"use": "mandarin"}, "zh", "臺灣的頭髮，乾淨！", "台湾的头发 干净"),
        ({"use": "mandarin"}, "zh", "ＮＢＡ　２０２４年", "nba 2024年"),
        ({"use": "mixed"}, "zh", "我買 iPhone", "我 买 iphone"),
        ({"use": "mixed"}, None, "這是Apple안녕 하세요カナ", "这 是 apple안녕 하세요 カ ナ"),
        ({"use": "mixed", "hangul": "syllable"}, None, "我안녕ok", "我 안 녕 ok"),
    ],
)
def test_texts_are_normalized(
    spec: dict[str, Any], lang: str | None, text: str, normal: str
) -> None:
    assert normalizer(**spec).normalize(text, lang) == normal


def test_korean_is_counted_without_spaces_and_punctuation() -> None:
    normalize = normalizer(use="korean").normalize
    reference, hypothesis = (
        normalize("아무 것도, 아니에요!", "ko"),
        normalize("아무것도 아니예요", "ko"),
    )
    assert metrics.count_character_errors(reference, hypothesis).rate == 1 / 8


def test_numbers_can_be_kept_as_written() -> None:
    assert normalizer(use="basic").keeping_numbers().normalize("Premi 2", "it") == "premi 2"
    assert normalizer(use="korean", readings=True).keeping_numbers() == normalizer(use="korean")


@pytest.mark.parametrize("spec", VARIANTS, ids=str)
@settings(max_examples=150, deadline=None)
@given(
    text=some.text(max_size=30) | some.text("aé1 ,.'臺カ한ㄱㅏㄳ\u11ab０%시", max_size=30),
    lang=some.sampled_from([None, "en", "it", "ko", "zh", "xx"]),
)
def test_normalizing_twice_changes_nothing_and_words_are_separated_by_single_spaces(
    spec: dict[str, Any], text: str, lang: str | None
) -> None:
    tested = normalizer(**spec)
    once = tested.normalize(text, lang)
    assert once == " ".join(once.split())
    if tested.name not in NOT_IDEMPOTENT:
        assert tested.normalize(once, lang) == once


def test_a_jamo_behind_a_number_completes_the_syllable_at_once() -> None:
    once = normalizer(use="basic").normalize("0%\u11a8", "ko")
    assert once == "영퍼센특"
    assert normalizer(use="basic").normalize(once, "ko") == once


def test_every_normalizer_has_its_own_digest() -> None:
    digests = [normalizer(**spec).digest() for spec in VARIANTS]
    assert len(set(digests)) == len(digests)
    assert digests == [normalizer(**spec).digest() for spec in VARIANTS]


def test_a_package_that_spells_differently_changes_the_digest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = normalizer(use="basic").digest()
    monkeypatch.setattr(_spelling, "num2words", lambda *_, **__: "many")
    _spelling.spell_out_number.cache_clear()
    assert normalizer(use="basic").digest() != before
    _spelling.spell_out_number.cache_clear()


def test_whisper_english_is_the_normalizer_of_transformers() -> None:
    """The class of the same name in transformers, with the same table of spellings."""
    theirs = pytest.importorskip("transformers.models.whisper.english_normalizer")
    english = pytest.importorskip("whisper_normalizer.english").EnglishTextNormalizer()
    spellings = english.standardize_spellings.mapping
    for text in ("I'd've paid £5.50 for the grey one", "Mr. O'Brien's 3rd [noise] colour"):
        expected = " ".join(theirs.EnglishTextNormalizer(spellings)(text).split())
        assert normalizer(use="whisper_english").normalize(text, "en") == expected


@pytest.mark.parametrize(
    ("reference", "hypothesis", "lang", "foreign", "letters"),
    [
        ("ciao", "ciao", "it", 0, 4),
        ("", "привет", "it", 6, 6),
        ("안녕", "hello", "ko", 5, 5),
        ("안녕 apple", "안녕 apples", "ko", 0, 8),
        ("東京タワー", "東京タワー々", "ja", 0, 6),
        ("", "anything", None, 0, 8),
        ("12", "12!", "it", 0, 0),
    ],
)
def test_letters_of_an_unexpected_script_are_counted(
    reference: str, hypothesis: str, lang: str | None, foreign: int, letters: int
) -> None:
    assert scripts.count_foreign_letters(reference, hypothesis, lang) == (foreign, letters)


def normalize_digits_in_every_language(spec: dict[str, Any]) -> None:
    """Normalize numbers of many lengths."""
    part = normalizer(**spec)
    for lang in [*sorted(CONVERTER_CLASSES), "amx", "am-ET", "fil", "xx", "a", "zh", "el"]:
        for length in [*range(1, 20), 100, 5000]:
            for digits in ("9" * length, "1" + "0" * (length - 1), ("12345678" * 625)[:length]):
                part.normalize(f"a {digits} b", lang)
        part.normalize("a" + 2000 * " million", lang)


@pytest.mark.parametrize("spec", VARIANTS)
def test_no_number_of_any_length_hangs_in_any_language(spec: dict[str, Any]) -> None:
    normalizer(**spec)  # skips the test here if a package is missing
    # In a process of its own: only a process can be ended while it hangs. A new interpreter and no
    # fork, which would inherit whatever earlier tests have left in this one.
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import tests.text.test_normalizers as t; "
        f"t.normalize_digits_in_every_language({spec!r})"
    )
    command = [sys.executable, "-c", code]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize(
    ("lang", "text", "normalized"),
    [
        ("am", "12345678", "12345678"),
        ("am", "1984", "1984"),
        ("am-ET", "7", "7"),
        ("te", "12345678901", "12345678901"),
        ("xx", "7", "7"),
        ("fil", "7", "7"),  # not Finnish
        ("it-IT", "7", "sette"),
        ("it", "9" * 16, "9" * 16),
        ("it", "9" * 5000, "9" * 5000),
    ],
)
def test_digits_that_cannot_be_spelled_stay_as_they_are(
    lang: str, text: str, normalized: str
) -> None:
    assert normalizer(use="basic").normalize(text, lang) == normalized
