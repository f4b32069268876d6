"""A person's word: it alone changes the champion, once, and only if the candidate still hears."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.pages import rounds_of_page
from twister_loop import (
    BusyError,
    ConfigError,
    EngineError,
    NothingNew,
    Plan,
    RunFolder,
    AwaitingApproval,
    approve,
    load,
    next_round,
    refine,
    refuse,
    retrain,
)
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.cli.main import main
from twister_loop.pipeline.experiments.reproduce import reproduce
from twister_loop.pipeline.run_folder import approval_of
from twister_loop.reporting.summary import summarize


@pytest.fixture
def asking(world: Path) -> Plan:
    """A plan that asks for approval, with its first round accepted by the gates."""
    world.write_text(world.read_text() + "approval: true\n")
    plan = load(world)
    next_round(plan, world.parent / "run")
    return plan


@pytest.fixture
def run(world: Path) -> Path:
    return world.parent / "run"


def test_an_accepted_candidate_waits_and_nothing_else_begins(asking: Plan, run: Path) -> None:
    ledger = RunFolder.read(run)
    assert ledger.awaiting_approval == run / "round-01" and ledger.champion is None
    for begin in (next_round, retrain):
        with pytest.raises(
            AwaitingApproval, match=r"`twister approve .*run` or `twister refuse .*run"
        ):
            begin(asking, run)
    assert len(list(refine(asking, run))) == 1
    told = summarize(run).rounds[0]
    assert told.awaits_approval and told.accepted is None and summarize(run).champion == "untouched"


def test_a_yes_makes_it_the_champion_and_is_kept_with_its_proof(asking: Plan, run: Path) -> None:
    said = approve(run, "listened to it", by="a person")
    assert approval_of(run / "round-01") == said and said.note == "listened to it"
    assert RunFolder.read(run).champion_folder == run / "round-01"
    heard = run / "round-01/approval/transcripts/manifest.jsonl"
    report = run / "round-01/report/development/dev/manifest.jsonl"
    assert len(heard.read_text().splitlines()) == len(report.read_text().splitlines())
    assert next_round(asking, run).number == 2


def test_a_no_keeps_the_champion_and_nothing_new_is_not_run_again(plan: Plan, run: Path) -> None:
    asking = replace(plan, approval=True, voices=())
    next_round(asking, run)
    refuse(run, "it lisps")
    ledger = RunFolder.read(run)
    assert ledger.champion is None and ledger.awaiting_approval is None
    assert summarize(run).rounds[0].accepted is False
    with pytest.raises(NothingNew, match="round 1 was refused"):
        next_round(asking, run)


def test_a_word_is_said_once(asking: Plan, run: Path) -> None:
    refuse(run, "no", by="one")
    with pytest.raises(ConfigError, match=r"round 1 was refused by one on .*: no; a decision is fin"):
        approve(run, by="another")


def test_a_candidate_that_does_not_hear_any_more_is_not_promoted(
    asking: Plan, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = ToyRecognizer._codebook
    monkeypatch.setattr(
        ToyRecognizer, "_codebook", lambda self, _: known(self, replace(self.initial_checkpoint()))
    )
    with pytest.raises(EngineError, match="not promoted: on 2 development clips"):
        approve(run)
    assert RunFolder.read(run).champion is None and RunFolder.read(run).awaiting_approval
    assert not list((run / "round-01").glob(".approval"))
    monkeypatch.undo()
    assert approve(run).approved


def test_audio_that_is_gone_is_a_sentence_and_changes_nothing(asking: Plan, run: Path) -> None:
    shutil.rmtree(run.parent / "data" / "development")
    with pytest.raises(EngineError, match="not promoted"):
        approve(run)
    assert RunFolder.read(run).awaiting_approval


def test_nobody_decides_while_another_process_is_at_work(asking: Plan, run: Path) -> None:
    with RunFolder.read(run).locked(), pytest.raises(BusyError):
        approve(run)


def test_a_plan_that_does_not_ask_promotes_by_its_gates(plan: Plan, run: Path) -> None:
    next_round(plan, run)
    assert RunFolder.read(run).champion_folder
    with pytest.raises(ConfigError, match="no candidate awaits approval"):
        approve(run)


def test_a_plan_that_asks_from_now_on_does_not_touch_older_rounds(plan: Plan, run: Path) -> None:
    next_round(plan, run)
    assert next_round(replace(plan, approval=True), run).number == 2
    assert RunFolder.read(run).champion_folder == run / "round-01"


def test_a_repeated_run_takes_the_word_over(asking: Plan, run: Path) -> None:
    approve(run, "good")
    [again] = reproduce(run, run.with_name("again"))
    assert again.is_identical, again.differing_files
    assert RunFolder.read(run.with_name("again")).champion_folder


def test_the_commands_say_what_waits_and_what_was_said(
    asking: Plan, run: Path, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", str(run)]) == 0
    printed = capsys.readouterr().out
    assert "round 1: waiting for approval" in printed and f"twister approve {run}" in printed
    assert main(["round", str(world), str(run), "--no-prefect"]) == 0
    assert "awaits approval" in capsys.readouterr().err
    assert main(["refuse", str(run), "--note", "<b>[red]no[/red]"]) == 0
    assert main(["report", str(run)]) == 0
    printed = capsys.readouterr().out
    assert "round 1: refused" in printed and "<b>[red]no[/red]" in printed
    assert "<b>" not in (run / "index.html").read_text()
    [shown] = rounds_of_page(run)
    assert shown["approval"]["note"] == "<b>[red]no[/red]" and shown["outcome"] == "refused"
