"""Speech that is to have transcripts, and has none: refused, or counted, before the first stage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import world as toy
from tests.pipeline.test_plan import changed
from twister_loop import load, next_round
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import Funnel
from twister_loop.errors import ConfigError

HUMAN = {"human": "data/spoken"}


def refused(world: Path, **changes: Any) -> str:
    run = world.parent / "run"
    with pytest.raises(ConfigError) as raised:
        next_round(load(changed(world, **changes)), run)
    assert not list(run.glob("round-*"))
    return str(raised.value)


@pytest.fixture
def spoken(world: Path) -> Path:
    """Three recordings without transcripts."""
    return toy.speak(["aia", "oio", "ueu"], world.parent / "data" / "spoken", labeled=False)


@pytest.mark.parametrize("key", ["human", "replay"])
def test_speech_without_any_transcript_is_refused_with_the_remedy(
    world: Path, spoken: Path, key: str
) -> None:
    (spoken / "transcripts.csv").write_text("file_name,text\n0.wav,aia\n")
    message = refused(world, **{key: "data/spoken"})
    assert message == (
        f"{key}: none of 3 recordings has a transcript; {spoken} needs a metadata.csv with the "
        "columns file_name and text; not read under their names: transcripts.csv"
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "file_name,txet\n0.wav,aia\n",
            "the columns are: file_name, txet. Rename 'txet' to 'text'",
        ),
        ("", "the table is empty, and needs a column 'text' with the transcripts"),
        ("file_name,text\n0.wav,\n", "no row has a transcript"),
        ("file_name,text\nx/0.wav,aia\n", "the first one names 'x/0.wav', which is looked for in"),
    ],
)
def test_the_refusal_says_what_the_table_lacks(
    world: Path, spoken: Path, table: str, message: str
) -> None:
    (spoken / "metadata.csv").write_text(table)
    refusal = refused(world, **HUMAN)
    assert f"{spoken / 'metadata.csv'}: " in refusal and message in refusal


def test_one_of_several_folders_without_transcripts_is_refused(world: Path, spoken: Path) -> None:
    assert "none of 3 recordings has" in refused(world, human=["data/human", "data/spoken"])


def test_recordings_without_a_transcript_are_counted(
    world: Path, spoken: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (spoken / "metadata.csv").write_text("file_name;text;speaker\n0.wav;aia;1\n1.wav;;\nx.wav;a;\n")
    finished = next_round(load(changed(world, **HUMAN)), world.parent / "run")
    human = Manifest.load(finished.folder / "inputs" / "human")
    assert [(utterance.text, utterance.speaker) for utterance in human] == [("aia", "1")]
    counts = Funnel.load(human.folder).rejected
    assert {reason: tally.utterances for reason, tally in counts.items()} == {
        "no_audio": 1,
        "no_text": 2,
    }
    assert "human: 2 of 3 recordings of spoken have no transcript" in caplog.text


def test_integers_in_a_table_are_texts_and_names(world: Path, spoken: Path) -> None:
    rows = [{"file_name": "0.wav", "text": 2024, "speaker": 17}]
    (spoken / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    finished = next_round(load(changed(world, **HUMAN)), world.parent / "run")
    [utterance] = Manifest.load(finished.folder / "inputs" / "human")
    assert (utterance.text, utterance.speaker) == ("2024", "17")


@pytest.mark.parametrize("key", ["pool", "human"])
def test_texts_without_audio_are_no_speech(world: Path, key: str) -> None:
    message = refused(world, **{key: {"use": "textfile", "file": "data/texts.txt"}})
    assert message.startswith(f"{key}: no ")
    assert f"(rejected: 2 no_audio; the first: texts.txt:1: {key} needs speech" in message


def test_a_folder_without_transcripts_is_no_text_corpus(world: Path, spoken: Path) -> None:
    folder = {"use": "audiofolder", "folder": "data/spoken"}
    assert "texts: none of 3 recordings has a transcript" in refused(world, texts=folder)


def test_the_transcripts_of_a_pool_are_not_its_labels(
    world: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pool = toy.speak(["a i e", "o u a", "i o e"], world.parent / "data" / "told")
    (pool / "metadata.jsonl").write_text('{"file_name": "0.wav", "text": "somebody wrote this"}\n')
    finished = next_round(load(changed(world, pool="data/told")), world.parent / "run")
    labels = Manifest.load(finished.folder / "pseudo_labels")
    assert {label.origin for label in labels} == {"pseudo"}
    assert "somebody wrote this" not in {label.text for label in labels}
    assert "pool: 1 transcripts of told are not used" in caplog.text


def test_a_held_out_set_names_recordings_without_a_reference(world: Path, spoken: Path) -> None:
    sets = {"development": {"dev": "data/spoken"}}
    assert "development.dev: 3 of 3 utterances have no reference" in refused(world, **sets)
    assert "needs a metadata.csv" in refused(world, **sets)
    (spoken / "metadata.csv").write_text("file_name,text\n0.wav,aia\n")
    assert "add those of 1.wav, 2.wav" in refused(world, **sets)
