"""`twister check`: what it tells, what it refuses, and that it leaves nothing behind."""

import json
import os
from pathlib import Path

import pytest

from twister_loop.cli.main import main

from ..pipeline.test_plan import changed


def check(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["check", *arguments])
    return code, capsys.readouterr().out


def test_a_sound_plan_is_described_and_nothing_is_written(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(world.parent.rglob("*"))
    code, printed = check([str(world), str(world.parent / "run")], capsys)
    assert code == 0 and "The plan can run." in printed
    for expected in ("pool", "development.dev", "significant", "of cases", "disk", "GB free"):
        assert expected in printed
    # A retention set and a test set are there, so nothing is said about missing ones.
    assert "there is no" not in printed
    assert sorted(world.parent.rglob("*")) == before


def test_the_same_as_json_counts_utterances_words_and_languages(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = check([str(world), "--json"], capsys)
    data = {amount["place"]: amount for amount in json.loads(printed)["data"]}
    assert code == 0
    assert data["pool"]["utterances"] == 3 and data["pool"]["duration"] > 1
    assert data["development.dev"]["words"] > 0
    assert sum(data["pool"]["languages"].values()) == 3


def test_what_stands_in_the_way_is_listed_with_its_key_and_exit_code_2(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = changed(world, pool="missing", texts="none.txt", minimum_utterances=1000)
    code, printed = check([str(plan), str(world.parent / "data" / "pool" / "run")], capsys)
    assert code == 2 and "The plan cannot run like this." in printed
    problems = printed[printed.index("Problems") :]
    for key in ("pool:", "texts:", "development.dev:"):
        assert key in problems


def test_a_run_inside_its_pool_is_refused_before_it_is_made(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = world.parent / "data" / "pool" / "run"
    assert main(["run", str(world), str(run), "--no-prefect"]) == 2
    assert "lies inside" in capsys.readouterr().err
    assert not run.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pool": "x" * 5000}, "pool: File name too long"),
        ({"cluster": {"use": "dask", "address": "tcp://127.0.0.1:1"}}, "dask does not answer"),
    ],
)
def test_a_run_is_refused_at_the_door_with_the_key(
    world: Path, changes: dict[str, object], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("distributed")
    run = world.parent / "run"
    assert main(["run", str(changed(world, **changes)), str(run), "--no-prefect"]) == 2
    assert message in capsys.readouterr().err
    assert not run.exists()


def test_a_pool_that_is_still_empty_stops_a_run_and_not_a_retraining(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (world.parent / "arriving").mkdir()
    plan, run = str(changed(world, pool="arriving")), str(world.parent / "run")
    assert main(["run", plan, run, "--no-prefect"]) == 2
    assert "pool: no audio found" in capsys.readouterr().err
    # Nothing is new yet, which is no error where audio is still to arrive.
    assert main(["retrain", plan, run, "--no-prefect"]) == 0
    assert "0 new recordings" in capsys.readouterr().err


@pytest.mark.model
def test_a_model_that_cannot_be_had_is_named_with_its_key_before_the_first_stage(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    missing = {"use": "whisper", "model": "nobody/no-such-model"}
    plan = changed(world, references={"large": missing})
    assert main(["run", str(plan), str(world.parent / "run"), "--no-prefect"]) == 2
    assert "references.large: no weights for the model" in capsys.readouterr().err


@pytest.mark.model
def test_options_of_a_part_are_shown_with_range_default_and_meaning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["options", "whisper"]) == 0
    printed = capsys.readouterr().out
    assert "**beam**: a whole number from 1 to 100; default 1. Number of hypotheses" in printed
    assert "**stop.patience**: a whole number from 1" in printed
    assert main(["options", "whispr"]) == 2
    assert "did you mean 'whisper'?" in capsys.readouterr().err


@pytest.mark.model
def test_a_whisper_plan_without_a_pool_is_refused_and_not_a_fault(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = check([str(changed(world, pool=[], asr="whisper"))], capsys)
    assert code == 2 and "pool: no audio found" in printed


def test_two_gates_of_one_name_are_both_described(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gates = [{"use": "no_regression", "sets": [name]} for name in ("dev", "vowels")]
    _, printed = check([str(changed(world, gates=gates)), "--json"], capsys)
    sentences = json.loads(printed)["gates"]["no_regression"]
    assert [sentence.partition(",")[0] for sentence in sentences] == ["dev", "vowels"]


@pytest.mark.model
def test_every_missing_model_is_named_with_its_key_and_its_size(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("TTS")
    monkeypatch.setattr("twister_loop.core.hub.explain_unreachable", lambda: "no network")
    missing = {"use": "whisper", "model": "nobody/no-such-model"}
    large = {"use": "whisper", "model": "openai/whisper-large-v3"}
    second = {"use": "second_model", "asr": missing, "at_most": 0.1}
    plan = changed(
        world,
        references={"large": large},
        voices={"speakers": {"use": "xtts", "non_commercial": True, "filters": [second]}},
        filters={"pseudo": [second]},
    )
    code, printed = check([str(plan)], capsys)
    problems = printed[printed.index("Problems") :]
    assert code == 2 and "references.large" in printed
    assert "openai/whisper-large-v3: cannot be had, 3,087 MB" in printed
    for key in (
        "references.large: no weights",
        "voices.speakers: cannot find the model 'coqui/XTTS-v2'",
        "filters.pseudo.second_model: no weights",
        "voices.speakers.filters.second_model: no weights",
    ):
        assert key in problems, key


@pytest.mark.model
@pytest.mark.parametrize(
    ("language", "hint"),
    [("Korean", "'ko'"), ("ko-KR", "'ko'"), ("fil", "'tl'"), ("xx", "it has: af, am, ar")],
)
def test_a_language_that_whisper_lacks_is_answered_with_the_nearest(
    language: str, hint: str, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The weights need not be here: the languages of published models are known.
    asr = {"use": "whisper", "model": "openai/whisper-small"}
    _, printed = check([str(changed(world, asr=asr, language=language))], capsys)
    assert f"language: Whisper has no language '{language}'" in printed and hint in printed


def test_a_plan_is_refused_for_references_of_the_pool_that_are_missing(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = check([str(changed(world, pool_references="missing"))], capsys)
    assert code == 2 and "pool_references:" in printed[printed.index("Problems") :]


@pytest.mark.parametrize("run", ["toy.yaml/below", "loop", "x" * 300])
def test_a_run_that_cannot_be_made_is_refused_by_every_command(
    run: str, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = world.parent
    (folder / "loop").symlink_to("loop")
    for command in ("run", "round", "retrain", "evaluate", "compare"):
        extra = ["--no-prefect"] if command in ("run", "round", "retrain") else []
        assert main([command, str(world), str(folder / run), *extra]) == 2, command
        message = capsys.readouterr().err
        assert message.startswith("twister: ") and "Errno" not in message
    assert main(["check", str(world), str(folder / run)]) == 2


def test_gates_are_not_judged_by_the_beginning_of_a_set(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twister_loop.pipeline.forecast.SET_LISTING_SECONDS", -1.0)
    code, printed = check([str(world)], capsys)
    assert code == 0
    assert "development.dev: its listing was ended" in printed
    assert "of cases" not in printed and "infinitely" not in printed


def test_time_and_disk_of_a_part_of_the_pool_are_told_as_such(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "its listing was ended" not in check([str(world)], capsys)[1]
    monkeypatch.setattr("twister_loop.pipeline.forecast.LISTING_SECONDS", -1.0)
    code, printed = check([str(world)], capsys)
    assert code == 0
    assert "pool: its listing was ended after -1 s, so time and disk are told for 1 utt" in printed


def test_a_channel_that_no_recording_has_is_refused(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = check([str(changed(world, scan={"channels": 9}))], capsys)
    assert code == 2
    assert "scan.channels: no recording of the pool has a channel 9; they have 1" in printed
    assert check([str(changed(world, scan={"channels": 0}))], capsys)[0] == 0


def test_a_set_that_is_not_there_yet_names_the_command_that_makes_one(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = changed(world, development={"calls": "to-come"}, retention={"other": "missing"})
    code, printed = check([str(plan)], capsys)
    problems = printed.partition("Problems")[2]
    assert code == 2 and f"twister annotate {os.path.relpath(plan)} --set calls`" in problems
    # Speech of another language is not in the pool, and cannot be annotated there.
    assert problems.count("twister annotate") == 1


def test_a_set_with_few_utterances_names_the_command_that_adds_some(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = check([str(changed(world, minimum_utterances=15))], capsys)
    lines = [line for line in printed.splitlines() if "fewer than minimum_utterances: 15" in line]
    assert code == 2 and len(lines) == 3
    assert "--set dev`, or lower that" in lines[0] and "--set test`" in lines[1]
    # A retention set is of a language that the pool does not have.
    assert "add some, or lower that" in lines[2]


def test_of_a_set_that_is_still_to_be_transcribed_no_gate_says_anything(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = ["--set", "development={calls: calls/}", "--set", "retention={}"]
    code, printed = check([str(world), *sets], capsys)
    assert code == 2
    assert "Gates" not in printed and "words of held-out speech" not in printed
    assert "twister annotate" in printed
