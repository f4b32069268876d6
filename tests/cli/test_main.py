"""The command line, as a user meets it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import carried
from twister_loop.cli.main import main
from twister_loop.core.artifacts import read_json
from twister_loop.reporting.summary import Summary, summarize

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(world: Path) -> Path:
    folder = world.parent / "run"
    assert main(["run", str(world), str(folder), "--no-prefect"]) == 0
    return folder


def test_a_run_ends_with_its_table_its_verdicts_and_its_page(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(world), str(world.parent / "run"), "--no-prefect"]) == 0
    printed = capsys.readouterr().out
    for expected in ("round 1: accepted", "round 2: refused", "untouched", "index.html"):
        assert expected in printed
    assert [each["outcome"] for each in carried(world.parent / "run")] == ["accepted", "refused"]


def test_a_second_run_says_that_all_is_done_and_loads_no_engine(
    world: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(world.parent / "data")
    assert main(["run", str(world), str(run)]) == 0
    assert "all is done" in capsys.readouterr().out


def test_status_as_json_has_the_documented_shape(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["status", str(run), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == set(Summary.__dataclass_fields__)
    first = told["rounds"][0]
    assert first["accepted"] is True and first["champion"] == "untouched"
    assert told["champion"] == "round-01/candidate"
    assert first["scores"]["test"]["candidate"]["words"]["hits"] == 13
    assert set(first["funnels"]) == {"pool", "filtered_labels", "texts"}
    assert first["voices"][0]["kept"]["utterances"] == 2


def test_a_hostile_transcript_stays_text(world: Path) -> None:
    folder = world.parent / "run"
    metadata = world.parent / "data" / "test" / "metadata.jsonl"
    metadata.write_text(metadata.read_text().replace("jump", "<script>alert(1)</script>"))
    assert main(["run", str(world), str(folder), "--no-prefect", "--set", "rounds=1"]) == 0
    page = (folder / "index.html").read_text()
    assert "alert(1)" not in page and "alert(1)" in json.dumps(carried(folder))


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
    ("arguments", "says"),
    [
        (["run", "none.yaml", "r"], "none.yaml: no plan that can be read"),
        (["status", "nowhere"], "nowhere: no run here; `twister run PLAN nowhere` begins one"),
        (["run", "{world}", "{full}"], "not a run, and not empty"),
        (["run", "{world}", "r", "--set", "pool=missing"], "missing: no such folder of audio"),
        (["run", "{world}", "r", "--set", "texts=none.txt"], "none.txt: no UTF-8 text"),
        (["run", "{world}", "r", "--set", "pool=empty"], "pool: no audio found"),
        (["run", "{world}", "r", "--set", "texts=void.txt"], "texts: no text found"),
        (["run", "{world}", "r", "--set", "development={}"], "at least one set"),
        (["run", "{world}", "r", "--set", "development={d: data/pool}"], "have no reference"),
        (["run", "{world}", "r", "--set", "rounds=[1"], "not a YAML value"),
    ],
)
def test_the_users_mistakes_are_one_sentence_and_exit_code_2(
    world: Path,
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(world.parent)
    (world.parent / "empty").mkdir()
    (world.parent / "void.txt").write_text("# nothing\n\n")
    filled = [
        each.replace("{world}", str(world)).replace("{full}", str(world.parent / "data"))
        for each in arguments
    ]
    extra = [] if "status" in arguments else ["--no-prefect"]
    assert main([*filled, *extra]) == 2
    error = capsys.readouterr().err
    assert says in error and "Traceback" not in error
    assert not (world.parent / "r" / "round-01").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["up", "--host", "0.0.0.0"], "PREFECT_SERVER_API_AUTH_STRING=USER:PASSWORD"),
        (["up", "--host", "somewhere.example"], "needs a password"),
        (["up", "--watch"], "need to know of what: twister up PLAN RUN"),
        (["up", "plan.yaml"], "name the folder of its run too"),
        (["up", "none.yaml", "r"], "none.yaml: no plan that can be read"),
        (["deploy"], "export PREFECT_API_URL="),
        (["up", "{world}", "r", "--cron", "often"], "--cron 'often': no five fields"),
    ],
)
def test_a_server_that_must_not_start_is_refused_in_a_sentence(
    world: Path,
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    assert main([each.replace("{world}", str(world)) for each in arguments]) == 2
    assert says in capsys.readouterr().err


def test_help_explains_every_command_with_examples() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "twister_loop.cli.main", "--help"], capture_output=True, text=True
    )
    assert told.returncode == 0
    for word in ("run", "round", "status", "report", "doctor", "up", "approve", "configs/ivr.yaml"):
        assert word in told.stdout


def test_timings_are_beside_the_results_not_in_them(run: Path) -> None:
    for path in run.rglob("made.json"):
        assert "seconds" not in path.read_text()
        assert read_json(path.with_name("timing.json"))["seconds"] >= 0
