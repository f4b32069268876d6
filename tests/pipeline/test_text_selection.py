"""Preparation of the text corpus: cleaning, duplicates, held-out texts, and selection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.pipeline.test_plan import changed
from twister_loop import Utterance, load, next_round
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import Funnel
from twister_loop.data.filters._base import Filter
from twister_loop.data.presets import FILTERS
from twister_loop.errors import ConfigError
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
def test_markup_links_and_invisible_characters_are_removed(raw: str, text: str) -> None:
    assert clean(raw) == text


@given(some.text())
def test_a_cleaned_text_has_one_line_and_no_outer_spaces(raw: str) -> None:
    text = clean(raw)
    assert text == text.strip() and "\n" not in text
    assert len(text.splitlines()) <= 1


ALL = TextSelection()


def corpus(folder: Path, *lines: str, lang: str = "en") -> Manifest:
    utterances = (Utterance(id=f"{n:03d}", text=line, lang=lang) for n, line in enumerate(lines))
    return Manifest.write(utterances, folder)


def select(
    tmp_path: Path,
    texts: Manifest,
    selection: TextSelection = ALL,
    pool_transcripts: str = "",
    **options: Any,
) -> list[str]:
    held_out = corpus(tmp_path / "held", *options.pop("held_out", ()))
    labels = corpus(tmp_path / "labels", *pool_transcripts.splitlines())
    filters = tuple(Filter.build(spec) for spec in FILTERS["speakable"].parts)
    seed = options.pop("seed", 1)
    key_terms = options.pop("key_terms", None)
    out = (
        tmp_path
        / f"texts-{seed}-{selection.rare}-{selection.unlike}{'-terms' if key_terms else ''}"
    )
    inputs = (filters, selection, texts, [held_out], labels, seed)
    return [
        utterance.text or "" for utterance in select_texts(*inputs, key_terms=key_terms, out=out)
    ]


def test_each_text_is_kept_once_and_rejected_texts_have_a_reason(tmp_path: Path) -> None:
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
    assert select(tmp_path, texts, held_out=held_out) == ["Please hold.", "Thank you."]
    reasons = Funnel.load(tmp_path / "texts-1-0.0-0.0").rejected
    assert {name: tally.utterances for name, tally in reasons.items()} == {
        "duplicate": 1,
        "empty": 1,
        "broken": 1,
        "held_out_text": 1,
        "script": 1,
        "text_length": 1,
    }


def test_the_rare_option_prefers_texts_with_rare_words(tmp_path: Path) -> None:
    common = [f"please press {'one ' * n}now" for n in range(1, 41)]
    rare = [f"zymurgy{n} quixotry{n} vexillology{n}" for n in range(10)]
    texts = corpus(tmp_path / "raw", *common, *rare)
    selected = select(tmp_path, texts, TextSelection(texts=10, rare=5.0))
    unweighted = select(tmp_path, texts, TextSelection(texts=10))
    assert len(selected) == len(unweighted) == 10
    assert sum(text in rare for text in selected) >= 8 > sum(text in rare for text in unweighted)
    rejected = list(Manifest(tmp_path / "texts-1-5.0-0.0" / "rejected"))
    assert {text.rejected_by for text in rejected} == {"not_chosen"} and len(rejected) == 40


def test_the_unlike_option_prefers_texts_unlike_the_pool(tmp_path: Path) -> None:
    pool_transcripts = "\n".join(f"the weather is fine today {n}" for n in range(30))
    similar = [f"the weather is {text} today" for text in "good bad fair cold warm mild".split()]
    unlike = [f"your invoice number is {text}" for text in "lost found paid due late open".split()]
    texts = corpus(tmp_path / "raw", *similar, *unlike)
    selected = select(tmp_path, texts, TextSelection(texts=6, unlike=6.0), pool_transcripts)
    assert sum(text in unlike for text in selected) >= 5


def test_texts_with_a_key_term_are_preferred(tmp_path: Path) -> None:
    others = [f"please press {'one ' * n}now" for n in range(1, 91)]
    with_term = [f"please call Signor Rossi {'now ' * n}" for n in range(1, 11)]
    texts = corpus(tmp_path / "raw", *others, *with_term)
    drawn = select(tmp_path, texts, TextSelection(texts=10), key_terms=["signor ROSSI"])
    unweighted = select(tmp_path, texts, TextSelection(texts=10))
    assert len(drawn) == len(unweighted) == 10
    chosen = sum(text.startswith("please call") for text in drawn)
    assert chosen >= 4 > sum(text.startswith("please call") for text in unweighted)


def test_the_seed_determines_the_selection(tmp_path: Path) -> None:
    texts = corpus(tmp_path / "raw", *(f"text number {chr(97 + n)}" for n in range(20)))
    first = select(tmp_path, texts, TextSelection(texts=5))
    assert first == select(tmp_path, texts, TextSelection(texts=5))
    assert first != select(tmp_path, texts, TextSelection(texts=5), seed=2)
    assert len(select(tmp_path, texts, TextSelection(texts=50), seed=3)) == 20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text_selection": {"texts": 0}}, "text_selection.texts: must be a whole number"),
        (
            {"text_selection": {"rare": 1.0}},
            "text_selection: rare, unlike: say with `texts` how many",
        ),
        (
            {"filters": {"texts": [{"use": "text_length", "at_least": 9, "at_most": 5}]}},
            "smaller number first",
        ),
        (
            {"filters": {"texts": ["last_round"]}},
            "filters.texts: last_round transcribes speech, and a text",
        ),
    ],
)
def test_invalid_options_of_text_selection_are_refused_when_the_plan_is_read(
    world: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as refusal:
        load(changed(world, **changes))
    assert message in str(refusal.value)


def test_a_round_synthesizes_the_selected_texts(world: Path, tmp_path: Path) -> None:
    plan = load(changed(world, text_selection={"texts": 1}, rounds=1))
    done = next_round(plan, tmp_path / "run")
    [text] = Manifest(done.folder / "texts")
    assert {utterance.text for utterance in Manifest(done.folder / "voices/toy/spoken")} == {
        text.text
    }
