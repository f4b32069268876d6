"""`twister init`: what it prints, asks and writes, and that the plan runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from twister_loop.asr._weights_status import WeightsStatus
from twister_loop.cli.main import main
from twister_loop.pipeline.initial_plan import listening, voices
from twister_loop.pipeline.model_needs import find_embedding_weights

from .. import world as toy_world
from ..pipeline.initial_plan.folders import make_hearing, names, record, transcribe

ASR = 'asr={use: toy, letters: "aeiou "}'
"""The toy recognizer instead of Whisper; it begins with the vowels."""
WORDS = "fox dog box jug vow nymph waltz zebra wizard quiz".split()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder without models, as a user without a network does."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("twister_loop.asr.whisper.weights.list_models_at_hand", list)
    monkeypatch.setattr(listening, "list_models_at_hand", list)


def init(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["init", *arguments])
    return code, capsys.readouterr().out


def test_the_plan_of_a_folder_runs_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "world"
    toy_world.speak(toy_world.POOL, data / "pool", labeled=False)
    toy_world.speak([f"{word} jumps" for word in WORDS[:5]], data / "development")
    toy_world.speak([f"quick {word}" for word in WORDS[5:]], data / "test")
    (data / "texts.txt").write_text("\n".join(toy_world.TEXTS * 3))
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    code, printed = init(capsys, "world", "--lang", "en", "--yes", "--no-listen")
    assert code == 0 and "Next: twister" in printed
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before
    plan = (tmp_path / "plan.yaml").read_text()
    assert "pool: world/pool/" in plan and "texts: world/texts.txt" in plan
    changes = ["--set", ASR, "--set", "voices={toy: toy}", "--set", "trainings=1"]
    changes += ["--set", "interpolate=1", "--set", "rescore=false"]
    assert main(["check", "plan.yaml", *changes]) == 0
    assert main(["run", "plan.yaml", "runs/mine", "--no-prefect", *changes]) == 0
    assert (tmp_path / "runs/mine/round-01/verdict").is_dir()


def test_without_transcripts_check_names_the_command_that_makes_some(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path / "calls", names(5))
    code, printed = init(capsys, "calls", "--no-listen")
    assert code == 0
    assert printed.rstrip().endswith("Next: twister annotate plan.yaml --set dev")
    assert main(["check", "plan.yaml", "--set", ASR, "--set", "trainings=1",
                 "--set", "interpolate=1"]) == 2  # fmt: skip
    problems = capsys.readouterr().out.partition("Problems")[2]
    assert "development.dev: " in problems
    assert "`twister annotate plan.yaml --set dev`" in problems


def test_json_has_what_was_seen_and_nothing_else_is_on_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path / "calls", names(5), rate=8000)
    (tmp_path / "calls" / "caf\udce9.txt").write_text("no recording")
    code, printed = init(
        capsys, "calls", "--json", "--plan", "calls.yaml", "--terms", "Rossi, Bari"
    )
    content = json.loads(printed)
    assert code == 0 and content["recordings"]["files"] == 5
    assert content["preset"] == "telephone" and content["plan"] == "calls.yaml"
    assert "no weights of Whisper are on this machine" in content["heard"]["skipped"] or (
        "not installed" in content["heard"]["skipped"]
    )
    assert content["next"] == "twister annotate calls.yaml --set dev"
    assert 'terms: ["Rossi", "Bari"]' in Path("calls.yaml").read_text()


def test_it_asks_only_in_a_terminal_and_takes_what_is_answered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path / "calls", names(5))
    questions = list[str]()
    answers = iter(["pt", "nonsense", "telephone", "Lisboa, Porto"])

    def answer(question: str) -> str:
        questions.append(question)
        return next(answers)

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("twister_loop.cli.init.hear", lambda *_: make_hearing("gl", "gl", "es"))
    init(capsys, "calls")
    plan = Path("plan.yaml").read_text()
    assert "language: pt" in plan and "as you said" in plan
    assert 'terms: ["Lisboa", "Porto"]' in plan and "confidence" in plan
    assert "[gl]" in questions[0] and len(questions) == 4
    init(capsys, "calls", "--yes", "--plan", "second.yaml")
    assert len(questions) == 4 and "language: gl" in Path("second.yaml").read_text()


def test_a_plan_inside_its_pool_gets_a_run_outside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path / "calls", names(25))
    record(tmp_path / "calls" / "dev", names(25))
    transcribe(tmp_path / "calls" / "dev", names(25))
    monkeypatch.chdir(tmp_path / "calls")
    _, printed = init(capsys, ".", "--no-listen")
    assert printed.rstrip().endswith("Next: twister run plan.yaml runs/mine")
    assert main(["check", "plan.yaml", "../runs/mine", "--set", ASR, "--set", "trainings=1",
                 "--set", "interpolate=1"]) == 0  # fmt: skip
    # Its own lists are no tables of the folder.
    before = Path("plan.yaml").read_text()
    assert main(["init", ".", "--no-listen"]) == 2
    assert "not overwritten" in capsys.readouterr().err
    assert Path("plan.yaml").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "no such folder of audio"),
        (["."], "no recordings in it"),
        ([".", "--plan", "no/such/plan.yaml"], "there is no such folder"),
        (["calls", "--no-listen", "--terms", "none.txt"], "there is no such file"),
    ],
)
def test_every_mistake_is_one_sentence(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if arguments[0] == "calls":
        record(tmp_path / "calls", names(2))
    assert main(["init", *arguments]) == 2
    printed = capsys.readouterr().err.strip().splitlines()
    assert message in printed[-1] and printed[-1].startswith("twister: ")
    assert not Path("plan.yaml").exists()


@pytest.mark.model
def test_speakers_are_counted_by_their_voices_only_if_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if problem := find_embedding_weights().problem:
        pytest.skip(problem)
    record(tmp_path / "calls", names(3), seconds=2.0)
    _, printed = init(capsys, "calls", "--no-listen", "--count-speakers", "--json")
    # Noise has no voice, so how many are told apart says nothing here.
    assert json.loads(printed)["voices"]["clips"] == 3
    _, printed = init(capsys, "calls", "--no-listen", "--json", "--plan", "second.yaml")
    assert "voices" not in json.loads(printed)
    missing = WeightsStatus("speaker embedding", "nowhere", problem="not installed")
    monkeypatch.setattr(voices, "find_embedding_weights", lambda: missing)
    _, printed = init(capsys, "calls", "--no-listen", "--count-speakers", "--plan", "third.yaml")
    assert "not counted: not installed" in printed


def test_a_plan_in_the_folder_of_its_pool_has_run_and_set_outside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path / "calls", names(3))
    monkeypatch.chdir(tmp_path / "calls")
    init(capsys, ".", "--no-listen")
    plan = Path("plan.yaml").read_text()
    assert "twister run plan.yaml ../calls-mine" in plan
    assert "development: {dev: ../calls-development/}" in plan


def test_answers_are_mended_where_they_can_be_and_the_end_of_input_is_an_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path / "calls", names(3))
    answers = iter(["Italian", "", "none.txt", "Rossi"])
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    code, printed = init(capsys, "calls", "--no-listen")
    plan = Path("plan.yaml").read_text()
    assert code == 0 and "there is no such file" in printed
    assert "language: it" in plan and 'terms: ["Rossi"]' in plan

    def end(question: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", end)
    assert init(capsys, "calls", "--no-listen", "--plan", "second.yaml")[0] == 0
    assert "# language" in Path("second.yaml").read_text()
