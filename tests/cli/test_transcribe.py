"""`twister transcribe`: formats, files, and recordings that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from twister_loop.audio import io as audio
from twister_loop.cli.main import main
from twister_loop.cli.transcribe import FORMATTERS
from twister_loop.core.types import Segment, Utterance

SEGMENTS = (
    Segment(start=0.5, end=2.25, text="Buongiorno."),
    Segment(start=3661.0, end=3662.04, text="Tasto 1 & <poi> 2"),
)
LONG = Utterance(id="a", duration=3700.0, pred_text="Buongiorno. Tasto 1", segments=SEGMENTS)
CLIP = Utterance(id="b", duration=2.5, pred_text="ciao")


@pytest.mark.parametrize(
    ("name", "utterance", "expected"),
    [
        ("text", LONG, "Buongiorno.\nTasto 1 & <poi> 2\n"),
        ("text", CLIP, "ciao\n"),
        (
            "srt",
            LONG,
            "1\n00:00:00,500 --> 00:00:02,250\nBuongiorno.\n\n"
            "2\n01:01:01,000 --> 01:01:02,040\nTasto 1 & <poi> 2\n\n",
        ),
        ("srt", CLIP, "1\n00:00:00,000 --> 00:00:02,500\nciao\n\n"),
        (
            "vtt",
            LONG,
            "WEBVTT\n\n00:00:00.500 --> 00:00:02.250\nBuongiorno.\n\n"
            "01:01:01.000 --> 01:01:02.040\nTasto 1 &amp; &lt;poi&gt; 2\n",
        ),
        ("vtt", Utterance(id="c", pred_text=""), "WEBVTT\n"),
    ],
)
def test_a_transcript_in_every_format(name: str, utterance: Utterance, expected: str) -> None:
    assert FORMATTERS[name](utterance) == expected  # type: ignore[index]


def test_transcripts_are_printed_and_a_broken_file_is_named(
    world: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    recordings = world.parent / "data" / "test"
    names = sorted(path.name for path in recordings.glob("*.wav"))
    (recordings / "broken.wav").write_text("no audio")
    assert main(["transcribe", str(recordings), "--asr", "toy", "--format", "jsonl"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(line["audio_filepath"]).name for line in lines] == names
    assert all(line["pred_text"] for line in lines)
    assert "broken.wav is not transcribed" in caplog.text


def test_transcripts_are_written_to_a_folder(world: Path, tmp_path: Path) -> None:
    recording = next((world.parent / "data" / "test").glob("*.wav"))
    out = tmp_path / "transcripts"
    options = ["--asr", "toy", "--format", "srt", "--out", str(out)]
    assert main(["transcribe", str(recording), *options]) == 0
    [path] = out.iterdir()
    assert path.name == f"{recording.stem}.srt"
    assert path.read_text().startswith("1\n00:00:00,000 --> ")


def test_the_champion_of_a_run_transcribes(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, recording = world.parent / "run", next((world.parent / "data" / "test").glob("*.wav"))
    assert main(["run", str(world), str(run), "--no-prefect"]) == 0
    capsys.readouterr()
    assert main(["transcribe", str(recording), "--run", str(run)]) == 0
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{empty}", "--asr", "toy"], "no audio in"),
        (["{empty}/none.wav", "--asr", "toy"], "no such file or folder"),
        (["{twice}", "--asr", "toy", "--out", "{empty}"], "several recordings are called a"),
        (["{twice}", "--run", "{empty}"], "no run here"),
        (["{twice}", "--asr", "whisprr"], "whisprr"),
    ],
)
def test_what_cannot_be_transcribed_is_one_sentence(
    tmp_path: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("a.wav", "more/a.wav"):
        audio.write(np.full(1600, 0.1, np.float32), tmp_path / "twice" / name)
    filled = [
        argument.replace("{empty}", str(tmp_path / "empty")).replace(
            "{twice}", str(tmp_path / "twice")
        )
        for argument in arguments
    ]
    assert main(["transcribe", *filled]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
