"""Operation of the loop: one real `twister up`, and failures of every process that it starts.

The server has a password and a webhook, and the working directory holds hostile modules. Every
test has a run of its own.
"""

import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import world as toy
from twister_loop.core.manifest import Manifest
from twister_loop.pipeline.run_folder import RunFolder, approval_of, round_number

pytest.importorskip("prefect")

from tests import operating
from tests.hostile import plant_hostile_modules
from tests.operating import AUTH, Receiver, Up, alive

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(600)]


def experiment(home: Path, name: str, **options: str) -> tuple[Path, Path]:
    """Write a toy world with these options in its plan; return the plan and the run folder."""
    plan = toy.build(home / name)
    options = {"gates": "[]", "new_audio": "{minutes: 0.01, settled: 1}", **options}
    lines = [line for line in plan.read_text().splitlines() if not line.startswith("gates:")]
    plan.write_text("\n".join([*lines, *(f"{key}: {value}" for key, value in options.items())]))
    return plan, home / name / "run"


def hold(run: Path) -> Path:
    """Create the file that holds the next round of this run in its training until removed."""
    hold_file = run.with_suffix(".hold")
    hold_file.touch()
    return hold_file


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("operating")


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def up(home: Path, receiver: Receiver) -> Iterator[Up]:
    """Start server, worker and watch for the whole module; the watched pool is empty at first."""
    plan, run = experiment(home, "watched")
    shutil.move(home / "watched/data/pool", home / "watched/data/later")
    (home / "watched/data/pool").mkdir()
    witness = plant_hostile_modules(home)
    arguments = (plan, run, "--watch", "--cron", "* * * * *")
    up = Up(home, *arguments, TWISTER_WEBHOOK=receiver.url)
    yield up
    up.stop(signal.SIGKILL)
    assert not witness.exists(), witness.read_text()


def test_audio_that_arrives_in_the_watched_folder_starts_a_round(
    home: Path, up: Up, receiver: Receiver
) -> None:
    run = home / "watched/run"
    for recording in (home / "watched/data/later").iterdir():
        shutil.copy(recording, home / "watched/data/pool")
    assert up.until(lambda: (run / "round-01/verdict").is_dir())
    assert len(Manifest(run / "round-01/inputs/pool")) == len(toy.POOL)
    [text, *_] = up.until(lambda: [text for text in receiver.texts if "accepted" in text])
    assert text.startswith("run, round 1: accepted\n- dev (development), WER %: untouched 114.29")


def test_a_schedule_fires_and_reports_nothing_new(home: Path, up: Up) -> None:
    run = home / "watched/run"

    def reported_nothing_new() -> bool:
        return any(
            flow_run["auto_scheduled"] and flow_run["state"]["name"] == "NothingNew"
            for flow_run in up.runs("retrain", run)
        )

    up.until(reported_nothing_new, 150)
    assert len(RunFolder.read(run).round_folders) == 1
    # Switched off, so that it starts nothing in the tests that follow.
    deployment = up.client.get("/deployments/name/retrain/twister").json()
    [schedule] = deployment["schedules"]
    path = f"/deployments/{deployment['id']}/schedules/{schedule['id']}"
    up.until(lambda: up.client.patch(path, json={"active": False}).is_success)


def test_of_two_runs_of_one_experiment_the_second_ends_as_busy(home: Path, up: Up) -> None:
    plan, run = experiment(home, "race")
    hold_file = hold(run)
    first = up.start("round", plan=plan, run=run)
    up.held(run)
    name, message = up.ended(up.start("retrain", plan=plan, run=run))
    assert name == "Busy" and "another" in message
    assert up.twister("round", plan, run, "--no-prefect").returncode == 2
    hold_file.unlink()
    assert up.ended(first) == ("Completed", "run, round 1: accepted")
    assert [folder.name for folder in RunFolder.read(run).round_folders] == ["round-01"]


def test_a_cancelled_or_killed_round_leaves_no_process_and_resumes_from_disk(
    home: Path, up: Up, receiver: Receiver
) -> None:
    cancelled, killed = experiment(home, "cancelled"), experiment(home, "killed")
    holds = [hold(run) for _, run in (cancelled, killed)]
    flows = [up.start("round", plan=plan, run=run) for plan, run in (cancelled, killed)]
    pids = [up.held(run) for _, run in (cancelled, killed)]
    cancel = {"state": {"type": "CANCELLING", "name": "Cancelling"}, "force": False}
    up.post(f"/flow_runs/{flows[0]}/set_state", cancel)
    os.kill(pids[1], signal.SIGKILL)
    assert up.ended(flows[0])[0] == "Cancelled" and up.ended(flows[1])[0] == "Crashed"
    up.until(lambda: not any(map(alive, pids)))
    notes = [run / "round-01/filtered_labels/made.json" for _, run in (cancelled, killed)]
    before = [note.read_bytes() for note in notes]
    for hold_file in holds:
        hold_file.unlink()
    again = up.start("round", plan=cancelled[0], run=cancelled[1])  # its slot was released
    assert up.twister("round", *killed, "--no-prefect").returncode == 0  # and so was its lock
    assert up.ended(again) == ("Completed", "run, round 1: accepted")
    assert [note.read_bytes() for note in notes] == before
    for _, run in (cancelled, killed):
        assert [round_number(folder) for folder in RunFolder.read(run).finished_rounds] == [1]
    assert up.until(lambda: [text for text in receiver.texts if "Crashed" in text])


def test_a_killed_worker_ends_its_round_and_the_next_worker_resumes_it(home: Path, up: Up) -> None:
    plan, run = experiment(home, "orphan")
    hold_file = hold(run)
    first = up.start("round", plan=plan, run=run)
    pid, worker = up.held(run), up.child("worker start")
    os.kill(worker, signal.SIGKILL)
    up.until(lambda: not alive(pid))
    assert up.ended(first)[0] == "Crashed"
    hold_file.unlink()
    assert up.ended(up.start("round", plan=plan, run=run), 120)[0] == "Completed"
    assert [round_number(folder) for folder in RunFolder.read(run).finished_rounds] == [1]


@pytest.fixture(scope="module")
def approvals(home: Path, up: Up) -> list[tuple[Path, Path, str]]:
    """Two experiments that await approval: plan, run, and the suspended flow run."""
    experiments = [experiment(home, name, approval="true") for name in ("suspended", "answered")]
    rounds = [up.start("round", plan=plan, run=run) for plan, run in experiments]
    assert all(up.ended(flow_run)[1].endswith("waiting for approval") for flow_run in rounds)
    flow_runs = [
        up.until(lambda run=run: up.runs("promote", run))[0]["id"] for _, run in experiments
    ]
    for flow_run in flow_runs:
        up.until(lambda flow_run=flow_run: up.state(flow_run)[0] == "Suspended")
    return [
        (plan, run, flow_run) for (plan, run), flow_run in zip(experiments, flow_runs, strict=True)
    ]


def test_a_killed_server_loses_no_round_and_no_approval(
    home: Path, up: Up, receiver: Receiver, approvals: list[tuple[Path, Path, str]]
) -> None:
    plan, run, approval_run = approvals[0]
    held_plan, held_run = experiment(home, "outlives")
    hold_file = hold(held_run)
    in_progress = up.start("round", plan=held_plan, run=held_run)
    up.held(held_run)
    os.kill(up.child("twister_loop.flows.sqlite_server"), signal.SIGKILL)
    up.until(lambda: up.state(in_progress)[0] == "")
    up.until(lambda: up.state(in_progress)[0] == "Running")
    hold_file.unlink()
    assert up.ended(in_progress) == ("Completed", "run, round 1: accepted")

    assert up.ended(up.start("retrain", plan=plan, run=run))[0] == "Waiting"
    resume = f"/flow_runs/{approval_run}/resume"
    # The form sends an untouched switch as false: a refusal needs a note.
    for answer in ({}, {"approve": False}, {"approve": False, "note": " ", "by": ""}):
        assert up.post(resume, {"run_input": answer})["status"] == "REJECT"
    assert up.state(approval_run)[0] == "Suspended" and RunFolder.read(run).champion is None
    decision = {"approve": True, "note": "listened to it", "by": "a person"}
    assert up.post(resume, {"run_input": decision})["status"] == "ACCEPT"
    name, message = up.ended(approval_run)
    assert name == "Completed" and message.startswith("approved by a person on ")
    approval = approval_of(run / "round-01")
    assert approval and approval.approved and approval.note == "listened to it"
    assert RunFolder.read(run).champion is not None
    assert up.until(lambda: [text for text in receiver.texts if "waiting for approval" in text])


def test_a_decision_on_the_command_line_ends_the_suspended_flow_run(
    up: Up, approvals: list[tuple[Path, Path, str]]
) -> None:
    _, run, approval_run = approvals[1]
    process = up.twister("refuse", run, "--note", "no better")
    assert process.returncode == 0, process.stderr
    name, message = up.state(approval_run)
    assert name == "Completed" and message.startswith("round 1: refused by ")
    assert RunFolder.read(run).champion is None


def test_after_ctrl_c_no_process_is_left_and_no_secret_is_on_disk(
    home: Path, up: Up, receiver: Receiver
) -> None:
    plan, run = experiment(home, "interrupted")
    hold(run)
    up.start("round", plan=plan, run=run)
    pids = [
        up.held(run),
        up.process.pid,
        up.child("twister_loop.flows.sqlite_server"),
        up.child("worker start"),
    ]
    assert operating.httpx.get(f"{up.api}/flow_runs/count").status_code in {401, 405}
    assert operating.httpx.post(f"{up.api}/flow_runs/count", json={}).status_code == 401
    assert up.stop() == 0
    for _ in range(50):
        if not any(map(alive, pids)):
            break
        time.sleep(0.1)
    assert not any(map(alive, pids))
    secrets = [AUTH.split(":")[1], receiver.url.rpartition("/")[2]]
    log = up.log.read_text()
    assert not [secret for secret in secrets if secret in log]
    [database] = (home / "prefect").glob("*.db")
    with sqlite3.connect(database) as connection:
        dump = "\n".join(connection.iterdump())
    assert not [secret for secret in secrets if secret in dump]
