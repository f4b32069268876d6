"""The loop in operation: one real `twister up`, and everything that goes wrong at three at night.

All of it goes on under a password, with a webhook that is told. Every test has a run of its own.
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
from tests.operating import AUTH, Receiver, Up, alive

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(600)]


def experiment(home: Path, name: str, **options: str) -> tuple[Path, Path]:
    """A plan in a world of its own, and where its run will be."""
    plan = toy.build(home / name)
    options = {"gates": "[]", "new_audio": "{minutes: 0.01, settled: 1}", **options}
    lines = [each for each in plan.read_text().splitlines() if not each.startswith("gates:")]
    plan.write_text("\n".join([*lines, *(f"{key}: {value}" for key, value in options.items())]))
    return plan, home / name / "run"


def hold(run: Path) -> Path:
    """Have the next round of this run wait in its training until the file is gone."""
    file = run.with_suffix(".hold")
    file.touch()
    return file


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
    """One server, worker and watch for the whole module; its own experiment has no audio yet."""
    plan, run = experiment(home, "watched")
    shutil.move(home / "watched/data/pool", home / "watched/data/later")
    (home / "watched/data/pool").mkdir()
    arguments = (plan, run, "--watch", "--cron", "* * * * *")
    up = Up(home, *arguments, TWISTER_WEBHOOK=receiver.url)
    yield up
    up.stop(signal.SIGKILL)


def test_audio_that_comes_into_the_folder_becomes_a_round_without_a_hand(
    home: Path, up: Up, receiver: Receiver
) -> None:
    run = home / "watched/run"
    for each in (home / "watched/data/later").iterdir():
        shutil.copy(each, home / "watched/data/pool")
    done = up.until(lambda: (run / "round-01/verdict").is_dir())
    assert done and len(Manifest(run / "round-01/inputs/pool")) == len(toy.POOL)
    told = up.until(lambda: [each for each in receiver.texts if "accepted" in each])
    assert told[0].startswith(
        "run, round 1: accepted\n- dev (development), WER %: untouched 114.29"
    )


def test_a_schedule_of_every_minute_fires_and_finds_nothing_new(home: Path, up: Up) -> None:
    run = home / "watched/run"

    def went_home() -> bool:
        scheduled = (each for each in up.runs("retrain", run) if each["auto_scheduled"])
        return any(each["state"]["name"] == "NothingNew" for each in scheduled)

    up.until(went_home, 150)
    assert len(RunFolder.read(run).round_folders) == 1
    found = up.client.get("/deployments/name/retrain/twister").json()
    [schedule] = found["schedules"]
    path = f"/deployments/{found['id']}/schedules/{schedule['id']}"
    up.until(lambda: up.client.patch(path, json={"active": False}).is_success)


def test_of_two_deployments_that_race_for_one_experiment_one_goes_home(home: Path, up: Up) -> None:
    plan, run = experiment(home, "race")
    waiting = hold(run)
    first = up.start("round", plan=plan, run=run)
    up.held(run)
    name, why = up.ended(up.start("retrain", plan=plan, run=run))
    assert name == "Busy" and "another" in why
    assert up.twister("round", plan, run, "--no-prefect").returncode == 2
    waiting.unlink()
    assert up.ended(first) == ("Completed", "run, round 1: accepted")
    assert [each.name for each in RunFolder.read(run).round_folders] == ["round-01"]


def test_a_cancelled_or_killed_round_leaves_no_process_and_goes_on_from_disk(
    home: Path, up: Up, receiver: Receiver
) -> None:
    cancelled, killed = experiment(home, "cancelled"), experiment(home, "killed")
    holds = [hold(run) for _, run in (cancelled, killed)]
    flows = [up.start("round", plan=plan, run=run) for plan, run in (cancelled, killed)]
    pids = [up.held(run) for _, run in (cancelled, killed)]
    ask = {"state": {"type": "CANCELLING", "name": "Cancelling"}, "force": False}
    up.post(f"/flow_runs/{flows[0]}/set_state", ask)
    os.kill(pids[1], signal.SIGKILL)
    assert up.ended(flows[0])[0] == "Cancelled" and up.ended(flows[1])[0] == "Crashed"
    up.until(lambda: not any(map(alive, pids)))
    lessons = [(run / "round-01/filtered_labels/made.json").read_bytes() for _, run in (cancelled, killed)]
    for each in holds:
        each.unlink()
    again = up.start("round", plan=cancelled[0], run=cancelled[1])  # its slot was given back
    assert up.twister("round", *killed, "--no-prefect").returncode == 0  # as was its lock
    assert up.ended(again) == ("Completed", "run, round 1: accepted")
    for (_, run), lesson in zip((cancelled, killed), lessons, strict=True):
        assert (run / "round-01/filtered_labels/made.json").read_bytes() == lesson
        assert [round_number(each) for each in RunFolder.read(run).finished_rounds] == [1]
    assert up.until(lambda: [each for each in receiver.texts if "Crashed" in each])


def test_a_killed_worker_takes_its_round_along_and_the_next_worker_goes_on(
    home: Path, up: Up
) -> None:
    plan, run = experiment(home, "orphan")
    waiting = hold(run)
    first = up.start("round", plan=plan, run=run)
    pid, worker = up.held(run), up.child("worker start")
    os.kill(worker, signal.SIGKILL)
    up.until(lambda: not alive(pid))
    assert up.ended(first)[0] == "Crashed"
    waiting.unlink()
    assert up.ended(up.start("round", plan=plan, run=run), 120)[0] == "Completed"
    assert [round_number(each) for each in RunFolder.read(run).finished_rounds] == [1]


@pytest.fixture(scope="module")
def questions(home: Path, up: Up) -> list[tuple[Path, Path, str]]:
    """Two experiments that wait for a person: plan, run, and the flow run that asks."""
    asked = [experiment(home, name, approval="true") for name in ("asked", "answered")]
    rounds = [up.start("round", plan=plan, run=run) for plan, run in asked]
    assert all(up.ended(each)[1].endswith("waiting for approval") for each in rounds)
    found = [up.until(lambda run=run: up.runs("promote", run))[0]["id"] for _, run in asked]
    for each in found:
        up.until(lambda each=each: up.state(each)[0] == "Suspended")
    return [(*one, question) for one, question in zip(asked, found, strict=True)]


def test_a_killed_server_costs_no_round_and_no_question(
    home: Path, up: Up, receiver: Receiver, questions: list[tuple[Path, Path, str]]
) -> None:
    plan, run, question = questions[0]
    other, held = experiment(home, "outlives")
    waiting = hold(held)
    going_on = up.start("round", plan=other, run=held)
    up.held(held)
    os.kill(up.child("twister_loop.flows.sqlite_server"), signal.SIGKILL)
    up.until(lambda: up.state(going_on)[0] == "")
    up.until(lambda: up.state(going_on)[0] == "Running")
    waiting.unlink()
    assert up.ended(going_on) == ("Completed", "run, round 1: accepted")

    assert up.ended(up.start("retrain", plan=plan, run=run))[0] == "Waiting"
    resume = f"/flow_runs/{question}/resume"
    assert up.post(resume, {"run_input": {}})["status"] == "REJECT"
    assert up.state(question)[0] == "Suspended" and RunFolder.read(run).champion is None
    word = {"approve": True, "note": "listened to it", "by": "a person"}
    assert up.post(resume, {"run_input": word})["status"] == "ACCEPT"
    name, said = up.ended(question)
    assert name == "Completed" and said.startswith("approved by a person on ")
    approval = approval_of(run / "round-01")
    assert approval and approval.approved and approval.note == "listened to it"
    assert RunFolder.read(run).champion is not None
    assert up.until(lambda: [each for each in receiver.texts if "waiting for approval" in each])


def test_a_question_that_was_answered_on_the_command_line_ends(
    up: Up, questions: list[tuple[Path, Path, str]]
) -> None:
    _, run, question = questions[1]
    done = up.twister("refuse", run, "--note", "no better")
    assert done.returncode == 0, done.stderr
    name, said = up.state(question)
    assert name == "Completed" and said.startswith("round 1: refused by ")
    assert RunFolder.read(run).champion is None


def test_nothing_is_left_when_it_stops_and_no_secret_was_written_down(
    home: Path, up: Up, receiver: Receiver
) -> None:
    plan, run = experiment(home, "interrupted")
    hold(run)
    up.start("round", plan=plan, run=run)
    mine = [
        up.held(run),
        up.process.pid,
        up.child("twister_loop.flows.sqlite_server"),
        up.child("worker start"),
    ]
    assert operating.httpx.get(f"{up.api}/flow_runs/count").status_code in {401, 405}
    assert operating.httpx.post(f"{up.api}/flow_runs/count", json={}).status_code == 401
    assert up.stop() == 0
    for _ in range(50):
        if not any(map(alive, mine)):
            break
        time.sleep(0.1)
    assert not any(map(alive, mine))
    secrets = [AUTH.split(":")[1], receiver.url.rpartition("/")[2]]
    log = up.log.read_text()
    assert not [each for each in secrets if each in log]
    [database] = (home / "prefect").glob("*.db")
    with sqlite3.connect(database) as connection:
        words = "\n".join(connection.iterdump())
    assert not [each for each in secrets if each in words]
