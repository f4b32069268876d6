"""Texts made fit to be spoken: cleaned, each once, nothing held out; and chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.pipeline.test_plan import changed
from twister_loop import ConfigError, Utterance, load, next_round
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Funnel
from twister_loop.data.filters._base import Filter
from twister_loop.data.presets import FILTERS
from twister_loop.pipeline.stages.text_selection import TextSelection, clean, select_texts


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("  two\t words\u00a0here \r", "two words here"),
        ("<p>Press &amp; hold</p>", "Press & hold"),
        ("{\\an8}<i>Ciao</i>", "Ciao"),
        ("5 < 6 and 7 > 3", "5 < 6 and 7 > 3"),
        ("• first point", "first point"),
        ("- Che fai?", "Che fai?"),
        ("well-known", "well-known"),
        ("see https://example.org/a?b or a@b.org now", "see or now"),
        ("zero\u200bwidth\ufeff and\u00ad hyphen", "zerowidth and hyphen"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("cafe\u0301", "café"),
        ("line\u2028break", "line break"),
        ("안녕하세요.", "안녕하세요."),
    ],
)
def test_a_text_is_cleaned_of_what_nobody_says(raw: str, text: str) -> None:
    assert clean(raw) == text


@given(some.text())
def test_what_is_clean_has_one_line_and_stays_clean(raw: str) -> None:
    text = clean(raw)
    assert text == text.strip() and "\n" not in text
    assert len(text.splitlines()) <= 1


ALL = TextSelection()


def corpus(folder: Path, *lines: str, lang: str = "en") -> Manifest:
    spoken = (Utterance(id=f"{n:03d}", text=line, lang=lang) for n, line in enumerate(lines))
    return Manifest.write(spoken, folder)


def tidied(
    tmp_path: Path, texts: Manifest, choice: TextSelection = ALL, heard: str = "", **terms: Any
) -> list[str]:
    held = corpus(tmp_path / "held", *terms.pop("held_out", ()))
    labels = corpus(tmp_path / "labels", *heard.splitlines())
    filters = tuple(Filter.build(each) for each in FILTERS["speakable"].parts)
    seed = terms.pop("seed", 1)
    out = tmp_path / f"texts-{seed}-{choice.rare}-{choice.unlike}"
    return [
        each.text or ""
        for each in select_texts(filters, choice, texts, [held], labels, seed, out=out)
    ]


def test_each_text_is_kept_once_and_all_others_say_why(tmp_path: Path) -> None:
    lines = (
        "Please hold.",
        "please  hold!",
        "<b></b> ...",
        "the pu\ufffd of it",
        "please enter your number and press pound",
        "пожалуйста, подождите",
        "x" * 401,
        "Thank you.",
    )
    texts = corpus(tmp_path / "raw", *lines)
    held_out = ["enter your number and press pound please"]
    assert tidied(tmp_path, texts, held_out=held_out) == ["Please hold.", "Thank you."]
    reasons = Funnel.load(tmp_path / "texts-1-0.0-0.0").rejected
    assert {name: each.utterances for name, each in reasons.items()} == {
        "duplicate": 1,
        "empty": 1,
        "broken": 1,
        "held_out_text": 1,
        "script": 1,
        "text_length": 1,
    }


def test_texts_of_rare_words_are_preferred_if_asked(tmp_path: Path) -> None:
    common = [f"please press {'one ' * n}now" for n in range(1, 41)]
    rare = [f"zymurgy{n} quixotry{n} vexillology{n}" for n in range(10)]
    texts = corpus(tmp_path / "raw", *common, *rare)
    chosen = tidied(tmp_path, texts, TextSelection(texts=10, rare=5.0))
    evenly = tidied(tmp_path, texts, TextSelection(texts=10))
    assert len(chosen) == len(evenly) == 10
    assert sum(each in rare for each in chosen) >= 8 > sum(each in rare for each in evenly)
    rejected = list(Manifest(tmp_path / "texts-1-5.0-0.0" / "rejected"))
    assert {each.rejected_by for each in rejected} == {"not_chosen"} and len(rejected) == 40


def test_texts_unlike_the_pool_are_preferred_if_asked(tmp_path: Path) -> None:
    heard = "\n".join(f"the weather is fine today {n}" for n in range(30))
    alike = [f"the weather is {each} today" for each in "good bad fair cold warm mild".split()]
    unlike = [f"your invoice number is {each}" for each in "lost found paid due late open".split()]
    texts = corpus(tmp_path / "raw", *alike, *unlike)
    chosen = tidied(tmp_path, texts, TextSelection(texts=6, unlike=6.0), heard)
    assert sum(each in unlike for each in chosen) >= 5


def test_the_seed_decides_what_is_chosen(tmp_path: Path) -> None:
    texts = corpus(tmp_path / "raw", *(f"text number {chr(97 + n)}" for n in range(20)))
    first = tidied(tmp_path, texts, TextSelection(texts=5))
    assert first == tidied(tmp_path, texts, TextSelection(texts=5))
    assert first != tidied(tmp_path, texts, TextSelection(texts=5), seed=2)
    assert len(tidied(tmp_path, texts, TextSelection(texts=50), seed=3)) == 20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text_selection": {"texts": 0}}, "text_selection: texts: at least 1"),
        ({"text_selection": {"rare": 1.0}}, "text_selection: rare, unlike: say with `texts` how many"),
        (
            {"filters": {"texts": [{"use": "text_length", "at_most": -1}]}},
            "smaller number first",
        ),
        ({"filters": {"texts": ["last_round"]}}, "filters.texts: last_round transcribes speech, and a text"),
    ],
)
def test_terms_that_cannot_be_meant_are_refused_when_the_plan_is_read(
    world: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as wrong:
        load(changed(world, **changes))
    assert message in str(wrong.value)


def test_a_round_speaks_the_texts_that_were_chosen(world: Path, tmp_path: Path) -> None:
    plan = load(changed(world, text_selection={"texts": 1}, rounds=1))
    done = next_round(plan, tmp_path / "run")
    [text] = Manifest(done.folder / "texts")
    assert {each.text for each in Manifest(done.folder / "voices/toy/spoken")} == {text.text}
