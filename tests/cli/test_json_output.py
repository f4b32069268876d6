"""With `--json` the standard output of a command is one JSON document, also for an error."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.cli.test_main import COMMANDS, help_of
from twister_loop import load, refine
from twister_loop.cli.main import main
from twister_loop.cli.parser import PRINTING_FACTS
from twister_loop.pipeline.plan_schema import PlanDocument

SERVICES = {"up", "deploy", "watch", "dashboard", "annotate"}
"""Commands that run until Ctrl-C or talk to a server, and print no facts."""


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a toy demo with a finished run, made once."""
    folder = tmp_path_factory.mktemp("json") / "toy"
    assert main(["demo", str(folder), "--toy"]) == 0
    return folder


@pytest.fixture
def folder(toy: Path, tmp_path: Path) -> Path:
    """Copy of the toy demo with its run, which a test may change."""
    shutil.copytree(toy / "data", tmp_path / "data")
    shutil.copytree(toy / "run", tmp_path / "run")
    shutil.copy(toy / "toy.yaml", tmp_path)
    return tmp_path


def run_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """Return the exit code and the document of a command."""
    capsys.readouterr()
    try:
        code = main([*arguments, "--json"])
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    return code, json.loads(capsys.readouterr().out)


def test_every_command_that_prints_facts_has_the_option(
    capsys: pytest.CaptureFixture[str],
) -> None:
    without = {name for name in COMMANDS if "--json" not in help_of([name], capsys)}
    assert without <= SERVICES
    assert set(COMMANDS) >= PRINTING_FACTS


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        ("status {run}", "run champion rounds"),
        ("report {run}", "run champion rounds page"),
        ("run {plan} {run} --no-prefect", "run champion rounds"),
        ("run {plan} {new} --no-prefect --set rounds=1", "run champion rounds"),
        ("check {plan}", "data weights problems warnings"),
        ("evaluate {plan} {run}", "scores normalizer folder"),
        ("rollback {run} 0 --note mishears", "to after by when note"),
        ("export {run} {new}", "folder written"),
        ("reproduce {run} --into {new}", "identical into rounds"),
        ("corpus check audiofolder {data}/test", "complete splits"),
        ("transcribe {data}/test --asr toy", "transcripts"),
        ("forget {run} --recording {data}/pool/0.wav --dry-run", "removed losses models own_files"),
        ("forget {run} --recording {data}/pool/0.wav --yes", "removed losses models own_files"),
        ("options coverage", "keys parts"),
        ("new filter too_loud --parts {new}", "part test usage"),
    ],
)
def test_standard_output_is_one_document(
    folder: Path, arguments: str, keys: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"plan": "toy.yaml", "run": "run", "new": "new", "data": "data"}
    paths = {name: str(folder / path) for name, path in names.items()}
    code, document = run_command(
        [argument.format(**paths) for argument in arguments.split()], capsys
    )
    assert code == 0
    assert set(keys.split()) <= set(document)


def test_a_decision_of_a_person_is_a_document(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = world.parent / "run"
    list(refine(load(world, {"approval": True, "rounds": 1}), run))
    code, document = run_command(["refuse", str(run), "--note", "mishears"], capsys)
    assert code == 0
    assert (document["approved"], document["note"]) == (False, "mishears")
    code, document = run_command(["approve", str(run)], capsys)
    assert code == 2 and "a decision is final" in document["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "code", "kind", "message"),
    [
        (["status", "nowhere"], 2, "ConfigError", "nowhere: no run here"),
        (["check", "none.yaml"], 2, "ConfigError", "there is no such file"),
        (["options", "coverge"], 2, "ConfigError", "did you mean 'coverage'?"),
        (["status"], 2, "UsageError", "the following arguments are required: RUN"),
        (["stauts", "x"], 2, "UsageError", "invalid choice: 'stauts'"),
    ],
)
def test_an_error_is_a_document_with_its_kind_and_exit_code(
    arguments: list[str],
    code: int,
    kind: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    returned, document = run_command(arguments, capsys)
    assert returned == code == document["error"]["exit_code"]
    assert document["error"]["kind"] == kind
    assert message in document["error"]["message"]


def test_a_round_without_news_is_no_failure(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["round", str(folder / "toy.yaml"), str(folder / "run"), "--no-prefect"]
    code, document = run_command(arguments, capsys)
    assert code == 0 and document["error"]["kind"] == "NothingNew"


@pytest.mark.parametrize(
    ("exit_code", "key"), [(0, "rounds"), (2, "error")], ids=["skipped", "failed"]
)
def test_a_flow_of_prefect_leaves_standard_output_to_the_document(
    world: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    exit_code: int,
    key: str,
) -> None:
    # In the place of a flow, whose server takes many seconds to start.
    child = [sys.executable, "-c", f"print('from the flow'); raise SystemExit({exit_code})"]
    monkeypatch.setattr("twister_loop.cli.prefect_bridge._command", lambda *_: child)
    run = str(world.parent / "run")
    assert main(["run", str(world), run, "--prefect", "--json"]) == exit_code
    printed = capfd.readouterr()
    assert key in json.loads(printed.out) and "from the flow" in printed.err


def test_forget_never_asks_a_program(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = str(folder / "data" / "pool" / "0.wav")
    code, document = run_command(["forget", str(folder / "run"), "--recording", recording], capsys)
    assert code == 2 and "--yes" in document["error"]["message"]


def test_a_broken_recording_is_in_the_document(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "data" / "test" / "broken.wav").write_text("no audio")
    code, document = run_command(["transcribe", str(folder / "data/test"), "--asr", "toy"], capsys)
    errors = [transcript.get("error") for transcript in document["transcripts"]]
    assert code == 1 and len(errors) == 3 and sum(map(bool, errors)) == 1


def test_doctor_lists_what_it_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The other checks start processes, and have tests of their own.
    monkeypatch.setattr("twister_loop.cli.doctor.run_checks", _check_little)
    code, document = run_command(["doctor"], capsys)
    assert (code, document["problems"]) == (1, 1)
    assert document["findings"][0] == {"name": "disk", "detail": "full", "status": "PROBLEM"}


def _check_little(server: bool) -> list[Any]:
    from twister_loop.cli.doctor import Finding

    return [Finding("disk", "full", "PROBLEM"), Finding("python", "3.11")]


def test_the_schema_of_a_plan_accepts_plans_and_names_mistakes(world: Path) -> None:
    from twister_loop.core.schema import json_schema

    validator = jsonschema.Draft202012Validator(json_schema(PlanDocument))
    document = yaml.safe_load(world.read_text())
    assert not list(validator.iter_errors(document))
    document |= {"rounds": 0, "normaliser": "basic"}
    mistakes = " ".join(mistake.message for mistake in validator.iter_errors(document))
    assert "0 is less than the minimum of 1" in mistakes and "'normaliser'" in mistakes
