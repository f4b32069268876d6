"""The `twister` command: output, error messages and exit codes."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.pages import rounds_of_page
from tests.windowed import run_rounds
from twister_loop.cli.finished import is_finished
from twister_loop.cli.main import main
from twister_loop.core.artifacts import read_json, write_json
from twister_loop.core.types import Objection, Verdict
from twister_loop.pipeline.run_folder import RunFolder
from twister_loop.reporting.dashboard import print_summary
from twister_loop.reporting.summary import Summary, summarize

COMMANDS = (
    "demo init check annotate options run round retrain up deploy watch evaluate approve refuse "
    "rollback status report dashboard "
    "compare study transcribe export reproduce forget corpus new doctor"
).split()


def help_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return what `--help` prints."""
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "--help"])
    assert stopped.value.code == 0
    return capsys.readouterr().out


@pytest.fixture
def run(world: Path) -> Path:
    folder = world.parent / "run"
    assert main(["run", str(world), str(folder), "--no-prefect"]) == 0
    return folder


def test_a_run_prints_its_tables_its_verdicts_and_the_path_of_its_page(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(world), str(world.parent / "run"), "--no-prefect"]) == 0
    printed = capsys.readouterr().out
    for expected in ("round 1: accepted", "round 2: refused", "untouched", "index.html"):
        assert expected in printed
    assert [round_["outcome"] for round_ in rounds_of_page(world.parent / "run")] == [
        "accepted",
        "refused",
    ]


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_show_both_decodings_and_fit_the_terminal(
    tmp_path: Path,
    columns: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["report", str(run_rounds(tmp_path, rounds=1))]) == 0
    printed = capsys.readouterr().out
    table = printed[: printed.index("stage")]
    assert "…" not in table and max(map(len, table.splitlines())) <= columns
    words = " ".join(table.replace("│", " ").split())
    for part in ("own context,", "CER 100.00", "50.0 %", "recordings", "tools decode."):
        assert part in words
    # Both decodings of the same candidate, side by side in one row.
    row = next(line for line in table.splitlines() if "candidate" in line and "18.18" in line)
    assert "WER  0.00" in row and "50.0 %" in row


def test_the_champion_is_evaluated_with_intervals(
    world: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["evaluate", str(world), str(run)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("WER  0.00 (0.0-0.0)") == 3 and "change" not in printed


def test_a_finished_run_says_so_and_reads_no_data(
    world: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(world.parent / "data")
    assert main(["run", str(world), str(run)]) == 0
    assert "nothing to do: all rounds of this plan are finished" in capsys.readouterr().out


def test_a_run_in_the_working_directory_is_a_run_like_any_other(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = world.parent / "run"
    run.mkdir()
    monkeypatch.chdir(run)
    assert main(["run", str(world), ".", "--no-prefect"]) == 0
    assert main(["reproduce", "round-01/.."]) == 0
    # Named after the run, whichever way its folder was written.
    assert (world.parent / "run.again" / "round-01").is_dir()


def test_an_empty_path_is_refused_instead_of_taken_for_the_working_directory(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run)
    with pytest.raises(SystemExit) as stopped:
        main(["status", ""])
    assert stopped.value.code == 2
    assert "expected a path, not an empty text" in capsys.readouterr().err


def test_a_finished_run_whose_voices_were_chosen_by_default_is_finished(
    world: Path, run: Path
) -> None:
    plan = yaml.safe_load(world.read_text())
    del plan["voices"]
    world.write_text(yaml.safe_dump(plan))
    # The round of a plan with other voices is no round of this plan.
    assert not is_finished(world, run, {})
    note = RunFolder.read(run).finished_rounds[-1] / "plan.json"
    write_json({**read_json(note), "default_voices": True}, note)
    assert is_finished(world, run, {})


def test_status_as_json_has_the_fields_of_summary(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["status", str(run), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert set(status) == set(Summary.__dataclass_fields__)
    first = status["rounds"][0]
    assert first["accepted"] is True and first["champion"] == "untouched"
    assert status["champion"] == "round-01/candidate"
    assert first["scores"]["test"]["candidate"]["words"]["hits"] == 13
    assert set(first["funnels"]) == {"pool", "filtered_labels", "texts"}
    assert first["voices"][0]["kept"]["utterances"] == 2


def test_a_script_in_a_transcript_is_escaped_on_the_page(world: Path) -> None:
    folder = world.parent / "run"
    metadata = world.parent / "data" / "test" / "metadata.jsonl"
    metadata.write_text(metadata.read_text().replace("jump", "<script>alert(1)</script>"))
    assert main(["run", str(world), str(folder), "--no-prefect", "--set", "rounds=1"]) == 0
    page = (folder / "index.html").read_text()
    assert "alert(1)" not in page and "alert(1)" in json.dumps(rounds_of_page(folder))


def test_restart_sets_the_round_in_progress_aside(
    world: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(run / "round-02" / "verdict")
    changed = ["--set", "mix={human: 2}"]
    assert main(["round", str(world), str(run), "--no-prefect", *changed]) == 2
    assert "mix.human: 1.0 -> 2.0" in capsys.readouterr().err
    assert main(["round", str(world), str(run), "--no-prefect", "--restart", *changed]) == 0
    assert (run / "round-02.aside-1").is_dir()
    assert summarize(run).rounds[1].accepted is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "none.yaml", "r"], "none.yaml: cannot read plan"),
        (["status", "nowhere"], "nowhere: no run here; `twister run PLAN nowhere` begins one"),
        (["run", "{world}", "{full}"], "not a run, and not empty"),
        (["run", "{world}", "r", "--set", "pool=missing"], "missing: no such folder of audio"),
        (
            ["run", "{world}", "r", "--set", "texts=none.txt"],
            "none.txt: cannot read the file (no such file",
        ),
        (["run", "{world}", "r", "--set", "pool=empty"], "pool: no audio found"),
        (["run", "{world}", "r", "--set", "texts=void.txt"], "texts: no text found"),
        (["run", "{world}", "r", "--set", "development={}"], "at least one set"),
        (
            ["run", "{world}", "r", "--set", "development={d: data/pool}"],
            "no utterance has a transcript",
        ),
        (["run", "{world}", "r", "--set", "rounds=[1"], "not a YAML value"),
    ],
)
def test_an_error_of_the_user_is_one_sentence_and_exit_code_2(
    world: Path,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(world.parent)
    (world.parent / "empty").mkdir()
    (world.parent / "void.txt").write_text("# nothing\n\n")
    filled = [
        argument.replace("{world}", str(world)).replace("{full}", str(world.parent / "data"))
        for argument in arguments
    ]
    extra = [] if "status" in arguments else ["--no-prefect"]
    assert main([*filled, *extra]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not (world.parent / "r" / "round-01").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["up", "--host", "0.0.0.0"], "PREFECT_SERVER_API_AUTH_STRING=USER:PASSWORD"),
        (["up", "--host", "somewhere.example"], "it needs a password"),
        (["up", "--watch"], "need an experiment: twister up PLAN RUN"),
        (["up", "plan.yaml"], "the run folder is missing"),
        (["up", "none.yaml", "r"], "none.yaml: cannot read plan"),
        (["deploy"], "PREFECT_API_URL is not set: export PREFECT_API_URL="),
        (["up", "{world}", "r", "--cron", "often"], "--cron 'often': a schedule has five fields"),
    ],
)
def test_a_server_that_must_not_start_is_refused_in_one_sentence(
    world: Path,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    assert main([argument.replace("{world}", str(world)) for argument in arguments]) == 2
    assert message in capsys.readouterr().err


def test_help_lists_every_command_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    printed = help_of([], capsys)
    commands, _, examples = printed.partition("Examples:")
    assert set(re.findall(r"^    ([a-z]+)\s", commands, re.MULTILINE)) == set(COMMANDS)
    # `approve` stands for `refuse`, and `up` for the services that it starts.
    without_example = {"refuse", "evaluate", "deploy", "watch"}
    assert set(re.findall(r"twister ([a-z]+)", examples)) == set(COMMANDS) - without_example


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_describes_it_and_every_argument(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = help_of([command], capsys)
    [description] = re.findall(r"\n\n([A-Z][^\n]+)\n", printed)[:1]
    assert description.endswith((".", ")", ","))
    arguments = re.findall(
        r"^  (-[^\n]+|[A-Za-z]+[^\n]*)((?:\n {10,}\S[^\n]*)*)", printed, re.MULTILINE
    )
    assert arguments
    for argument, continuation in arguments:
        assert continuation or "  " in argument, f"{argument} has no help text"


def test_timings_are_beside_the_results_not_in_them(run: Path) -> None:
    for path in run.rglob("made.json"):
        assert "seconds" not in path.read_text()
        assert read_json(path.with_name("timing.json"))["seconds"] >= 0


@pytest.mark.parametrize("error", [AssertionError(), KeyError("scores"), RecursionError("deep")])
def test_a_page_that_cannot_be_drawn_ends_no_command_but_report(
    world: Path,
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    def fail(*_: object) -> str:
        raise error

    monkeypatch.setattr("twister_loop.reporting.dashboard.page.run_data", fail)
    monkeypatch.setattr("twister_loop.cli.commands.summarize", fail)
    shutil.rmtree(run / "round-02")
    for command in ("run", "round"):
        assert main([command, str(world), str(run), "--no-prefect"]) == 0
    assert "the page could not be written" in caplog.text
    assert "the tables cannot be shown" in caplog.text
    assert (run / "round-02" / "verdict").is_dir()
    assert "round 2: " in capsys.readouterr().out
    for command in ("report", "status"):
        assert main([command, str(run)]) == 2
        message = capsys.readouterr().err
        assert message.startswith(f"twister: {run}: ") and type(error).__name__ in message
        assert message.count("\n") == 1


@pytest.mark.parametrize("name", ["[/b]", "dev[red]", "a\x1b[31mb", "a\rb", "\u202eb", ":smile:"])
def test_a_name_with_markup_or_escape_sequences_is_printed_as_plain_text(
    run: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    [*_, last] = (summary := summarize(run)).rounds
    renamed = replace(
        last,
        scores={name: last.scores["dev"]},
        intervals={name: last.intervals["dev"]},
        changes={name: last.changes["dev"]},
        verdict=Verdict((Objection(name, name),)),
    )
    print_summary(replace(summary, rounds=(renamed,), champion=name, run=name))
    printed = capsys.readouterr().out
    shown = "\\r" if name == "a\rb" else ascii(name)[1:-1]
    assert printed.count(shown) >= 4
    assert not {"\x1b", "\r", "\u202e"} & set(printed)


def test_a_message_with_escape_sequences_is_printed_as_plain_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["status", "a\x1b[31mb"]) == 2
    assert "a\\x1b[31mb" in capsys.readouterr().err
