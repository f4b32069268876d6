"""The language of a pool: text comes before sound where Whisper is weak."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.initial_plan.folders import (
    draft,
    make_hearing,
    names,
    record,
    write_table,
)
from twister_loop.pipeline.initial_plan.draft import Draft, Wishes
from twister_loop.pipeline.initial_plan.listening import Hearing
from twister_loop.pipeline.initial_plan.plan_text import write_plan_text

CZECH = [
    "Kde je tady nějaké světlo?",
    "To bude asi ta nejtěžší úloha.",
    "Musíme se dostat na druhou stranu.",
    "Podívej se, co leží na dně.",
    "Přece tady nemůžeme zůstat.",
    "Ještě jednou a pomaleji, prosím.",
]
ITALIAN = [
    "Premere uno per ascoltare il messaggio.",
    "La chiamata non può essere completata.",
    "Restate in linea, per favore.",
    "Il numero che avete composto è errato.",
    "Nessuno risponde a questo interno.",
    "Avete tre nuovi messaggi.",
]
ENGLISH = [
    "Please hold while I try that extension.",
    "Press one to listen to your messages.",
    "The number you have dialed is wrong.",
    "Nobody answers at this extension.",
    "You have three new messages.",
    "The call cannot be completed.",
]


def make_folder(
    folder: Path, *, transcripts: list[str] | None = None, sentences: list[str] | None = None
) -> Path:
    record(folder / "calls", names(6))
    if transcripts:
        record(folder / "dev", names(24, "d"))
        rows = [
            (name, transcripts[n % len(transcripts)].replace(",", ""))
            for n, name in enumerate(names(24, "d"))
        ]
        write_table(folder / "dev" / "metadata.csv", rows, "file_name,text")
    if sentences:
        (folder / "sentences.txt").write_text("\n".join(sentences), encoding="utf-8")
    return folder


def check(first: Draft, language: str | None, reason: str, preset: str = "plain") -> None:
    assert (first.language, first.preset) == (language, preset), first.language_reason
    assert reason in first.language_reason


def test_a_neighbor_that_is_heard_as_often_is_no_second_language(tmp_path: Path) -> None:
    """Whisper base hears half of some Czech dialogues in Polish, and is sure of it."""
    hearing = make_hearing(*["cs", "pl"] * 4, confidence=-0.55)
    reason = "as your transcripts are written; of 8 clips: cs in 4, pl in 4"
    check(draft(make_folder(tmp_path / "a", transcripts=CZECH), hearing), "cs", reason)
    reason = "as your sentences are written; of 8 clips: cs in 4, pl in 4"
    check(draft(make_folder(tmp_path / "b", sentences=CZECH), hearing), "cs", reason)
    # Nothing is written: people may switch, and nobody can tell.
    check(draft(make_folder(tmp_path / "c"), hearing), None, "detected clip by clip", "code-switch")


@pytest.mark.parametrize(
    ("hearing", "transcribed", "language"),
    [
        # Never heard as what it is, where Whisper is weak.
        (make_hearing(*["pl"] * 8, confidence=-0.6), True, "cs"),
        # Sentences may be of something else.
        (make_hearing(*["pl"] * 8, confidence=-0.6), False, "pl"),
        # Sure of its words: then the transcripts are of other speech.
        (make_hearing(*["it"] * 8), True, "it"),
        (make_hearing(*["pl"] * 7, "cs", confidence=-0.2), False, "cs"),
        (Hearing(skipped="no"), True, "cs"),
        (Hearing(skipped="no"), False, "cs"),
    ],
)
def test_text_decides_where_the_sound_is_unsure(
    tmp_path: Path, hearing: Hearing, transcribed: bool, language: str
) -> None:
    folder = make_folder(tmp_path, **{"transcripts" if transcribed else "sentences": CZECH})
    assert draft(folder, hearing).language == language


@pytest.mark.parametrize(("confidence", "is_weak"), [(-0.55, True), (-0.13, False)])
def test_where_whisper_is_weak_a_faster_labeler_may_change_more(
    tmp_path: Path, confidence: float, is_weak: bool
) -> None:
    folder = make_folder(tmp_path / "in", transcripts=CZECH)
    first = draft(folder, make_hearing(*["cs"] * 8, confidence=confidence))
    plan = tmp_path / "plan.yaml"
    text = write_plan_text(first, Wishes(), "openai/whisper-base", [], plan, "runs/mine")
    assert ("labeler: {at_most: 0.15}" in text) == is_weak


def test_two_languages_that_are_heard_and_written_are_two(tmp_path: Path) -> None:
    hearing = make_hearing("it", "en", "it", "en", "it")
    both = make_folder(tmp_path / "both", sentences=[*ITALIAN, *ENGLISH])
    assert draft(both, hearing).preset == "code-switch"
    one = make_folder(tmp_path / "one", sentences=ITALIAN)
    check(draft(one, hearing), "it", "detected in 3 of 5 clips")
