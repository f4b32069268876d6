"""Lists of prompts: restored letters, problems of texts, and the share of a text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from twister_loop.data.corpora._prompts import (
    Prompt,
    assign_share,
    correct_spelling,
    parse_prompts,
    read_recordings,
)
from twister_loop.data.corpora.ivr import SHARES


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Il numero non pu? essere chiamato", "Il numero non può essere chiamato"),
        ("La chiamata sar? registrata", "La chiamata sarà registrata"),
        ("Non ci sono pi? messaggi", "Non ci sono più messaggi"),
        ("La linea ? occupata", "La linea è occupata"),
        ("Quale casella di posta?", "Quale casella di posta?"),
        ("Pronto? Chi parla?", "Pronto? Chi parla?"),
    ],
)
def test_a_lost_letter_is_restored_where_it_is_certain(written: str, meant: str) -> None:
    assert list(parse_prompts(f"name: {written}")) == [Prompt("name", meant)]


@pytest.mark.parametrize(
    ("written", "doubt"),
    [
        ("La citt? di notte", "broken encoding"),
        ("La citt\ufffd di notte", "broken encoding"),
        ("Il perch?lo sai", "broken encoding"),
        ("[toni ascendenti]", "not speech"),
        ("(1 secondo di silenzio)", "not speech"),
        ("<beep ascending>", "not speech"),
        ("un suono beep", "not speech"),
        ("un suono di beep discendente", "not speech"),
        ("", "not speech"),
        ("Riprova [quello] numero", "notes in the text"),
        ("Tutto eliminato vm-then-pound: poi premere cancelletto", "two prompts in one"),
    ],
)
def test_a_text_with_a_problem_is_no_reference(written: str, doubt: str) -> None:
    [prompt] = parse_prompts(f"name: {written}")
    assert prompt.problem == doubt


def test_a_misspelled_word_is_corrected_and_its_prompt_stays_in_its_split(tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    soundfile.write(tmp_path / "sounds/later.wav", np.zeros(800, np.float32), 8000)
    (tmp_path / "texts.txt").write_text("later: Perpiacere, la cassella", encoding="utf-8")
    [recording] = read_recordings(tmp_path)
    assert recording.text == "Per piacere, la casella"
    assert recording.listed_text == "Perpiacere, la cassella"
    assert correct_spelling("la casella di supercassellari") == "la casella di supercassellari"


def test_an_entry_may_continue_in_the_next_line() -> None:
    text = "\ufeff; a comment\n\none: Premi uno\n  e poi cancelletto\ndigits/2: due\n"
    assert list(parse_prompts(text)) == [
        Prompt("one", "Premi uno e poi cancelletto"),
        Prompt("digits/2", "due"),
    ]


def test_the_share_of_a_text_never_changes() -> None:
    assert [assign_share(f"frase {n}", SHARES) for n in range(8)] == FROZEN
    assert assign_share("Così è, numero 5!", SHARES) == assign_share(
        "cosi\u0300 e\u0300 numero 5", SHARES
    )


FROZEN = [
    "test",
    "test",
    "test",
    "pool",
    "pool",
    "pool",
    "test",
    "texts",
]
"""What the hash says; another value would move texts between splits."""


def test_shares_have_about_the_size_that_was_asked_for() -> None:
    shares = [assign_share(f"una frase qualunque {n}", SHARES) for n in range(2000)]
    for share, part in SHARES.items():
        assert shares.count(share) / len(shares) == pytest.approx(part, abs=0.04)
