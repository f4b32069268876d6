"""Approval: one decision, and a candidate is promoted only if its transcripts still match."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.pages import rounds_of_page
from twister_loop import RunFolder, load, next_round, refine, retrain
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.cli.main import main
from twister_loop.decisions import approve, refuse
from twister_loop.errors import AwaitingApproval, BusyError, ConfigError, EngineError, NothingNew
from twister_loop.pipeline.experiments.reproduce import reproduce
from twister_loop.pipeline.run_folder import approval_of
from twister_loop.reporting.summary import summarize
from twister_loop.types import Plan


@pytest.fixture
def approval_plan(world: Path) -> Plan:
    """A plan with `approval: true`, whose first round the gates have accepted."""
    world.write_text(world.read_text() + "approval: true\n")
    plan = load(world)
    next_round(plan, world.parent / "run")
    return plan


@pytest.fixture
def run(world: Path) -> Path:
    return world.parent / "run"


def test_an_accepted_candidate_awaits_approval_and_no_round_starts(
    approval_plan: Plan, run: Path
) -> None:
    run_folder = RunFolder.read(run)
    assert run_folder.awaiting_approval == run / "round-01" and run_folder.champion is None
    for start_round in (next_round, retrain):
        with pytest.raises(
            AwaitingApproval, match=r"`twister approve .*run` or `twister refuse .*run"
        ):
            start_round(approval_plan, run)
    assert len(list(refine(approval_plan, run))) == 1
    summary = summarize(run).rounds[0]
    assert (
        summary.awaits_approval
        and summary.accepted is None
        and summarize(run).champion == "untouched"
    )


def test_approval_makes_the_candidate_champion_and_keeps_its_transcripts(
    approval_plan: Plan, run: Path
) -> None:
    approval = approve(run, "listened to it", by="a person")
    assert approval_of(run / "round-01") == approval and approval.note == "listened to it"
    assert RunFolder.read(run).champion_folder == run / "round-01"
    transcripts = run / "round-01/approval/transcripts/manifest.jsonl"
    report = run / "round-01/report/development/dev/manifest.jsonl"
    assert len(transcripts.read_text().splitlines()) == len(report.read_text().splitlines())
    assert next_round(approval_plan, run).number == 2


def test_a_refusal_keeps_the_champion_and_the_same_round_is_not_run_again(
    plan: Plan, run: Path
) -> None:
    approval_plan = replace(plan, approval=True, voices=())
    next_round(approval_plan, run)
    refuse(run, "it lisps")
    run_folder = RunFolder.read(run)
    assert run_folder.champion is None and run_folder.awaiting_approval is None
    assert summarize(run).rounds[0].accepted is False
    with pytest.raises(NothingNew, match="round 1 was refused"):
        next_round(approval_plan, run)


def test_a_decision_is_final(approval_plan: Plan, run: Path) -> None:
    refuse(run, "no", by="one")
    with pytest.raises(
        ConfigError, match=r"round 1 was refused by one on .*: no; a decision is fin"
    ):
        approve(run, by="another")


def test_a_candidate_with_other_transcripts_than_its_report_is_not_promoted(
    approval_plan: Plan, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codebook_of = ToyRecognizer._codebook
    monkeypatch.setattr(
        ToyRecognizer,
        "_codebook",
        lambda self, _: codebook_of(self, replace(self.initial_checkpoint())),
    )
    with pytest.raises(EngineError, match="not promoted: on 2 development clips"):
        approve(run)
    assert RunFolder.read(run).champion is None and RunFolder.read(run).awaiting_approval
    assert not list((run / "round-01").glob(".approval"))
    monkeypatch.undo()
    assert approve(run).approved


def test_missing_development_audio_is_an_error_and_changes_nothing(
    approval_plan: Plan, run: Path
) -> None:
    shutil.rmtree(run.parent / "data" / "development")
    with pytest.raises(EngineError, match="not promoted"):
        approve(run)
    assert RunFolder.read(run).awaiting_approval


def test_approval_is_refused_while_another_process_works_on_the_run(
    approval_plan: Plan, run: Path
) -> None:
    with RunFolder.read(run).locked(), pytest.raises(BusyError):
        approve(run)


def test_without_approval_the_gates_promote(plan: Plan, run: Path) -> None:
    next_round(plan, run)
    assert RunFolder.read(run).champion_folder
    with pytest.raises(ConfigError, match="no candidate awaits approval"):
        approve(run)


def test_approval_that_is_turned_on_later_does_not_affect_older_rounds(
    plan: Plan, run: Path
) -> None:
    next_round(plan, run)
    assert next_round(replace(plan, approval=True), run).number == 2
    assert RunFolder.read(run).champion_folder == run / "round-01"


def test_a_reproduced_run_copies_the_decision(approval_plan: Plan, run: Path) -> None:
    approve(run, "good")
    [repetition] = reproduce(run, run.with_name("again"))
    assert repetition.is_identical, repetition.differing_files
    assert RunFolder.read(run.with_name("again")).champion_folder


def test_the_commands_show_the_open_approval_and_the_decision(
    approval_plan: Plan, run: Path, world: Path, capsys: pytest.CaptureFixture[str]
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
