"""Rollback to an older champion: recorded, nothing deleted, and nothing simply made again."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.pages import rounds_of_page
from tests.pipeline.test_run_folder import ACCEPTED, REFUSED, finished_round
from twister_loop import RunFolder, load, next_round, retrain
from twister_loop.core.artifacts import PRUNED, read_json
from twister_loop.core.digests import digest_path
from twister_loop.decisions import approve, refuse, roll_back
from twister_loop.errors import BusyError, ConfigError, NothingNew, StaleError
from twister_loop.pipeline.experiments.reproduce import reproduce
from twister_loop.pipeline.rollbacks import ROLLBACKS, Rollback, find_standing, read_rollbacks
from twister_loop.pipeline.run_folder import PruneOptions
from twister_loop.reporting import dashboard
from twister_loop.reporting.summary import summarize
from twister_loop.types import Plan


def back(to: int, after: int) -> Rollback:
    return Rollback(to=to, after=after, by="Ada", when="2026-11-29T02:00:00+00:00")


@pytest.mark.parametrize(
    ("numbers", "rollbacks", "standing"),
    [
        ([1, 2, 3], [], (1, 2, 3)),
        ([1, 2, 3], [back(2, 3)], (1, 2)),
        ([1, 2, 3], [back(0, 3)], ()),
        ([1, 2, 3, 4], [back(1, 3)], (1, 4)),
        # Back to round 1, one more round, and back to that one after another that failed.
        ([1, 2, 3, 4], [back(1, 2), back(3, 4)], (1, 3)),
        # Taken back, and then restored: rounds 1 to 3 stand again.
        ([1, 2, 3, 4], [back(1, 3), back(3, 4)], (1, 2, 3)),
        ([1, 2, 3], [back(1, 3), back(2, 3)], (1, 2)),
        # Round 2 was deleted by hand: what stood before it is all that is left.
        ([1, 3], [back(2, 3)], (1,)),
        ([], [back(0, 0)], ()),
    ],
)
def test_rounds_that_stand(
    numbers: list[int], rollbacks: list[Rollback], standing: tuple[int, ...]
) -> None:
    assert find_standing(numbers, rollbacks) == standing


@pytest.fixture
def four_rounds(tmp_path: Path) -> Path:
    """A run of rounds 1 (accepted), 2 (refused), 3 and 4 (accepted), without any stage."""
    run = tmp_path / "made"
    RunFolder.open(run)
    for number, verdict in enumerate((ACCEPTED, REFUSED, ACCEPTED, ACCEPTED), 1):
        finished_round(run, number, verdict)
    return run


def test_a_rollback_changes_the_champion_and_deletes_nothing(four_rounds: Path) -> None:
    before = sorted(path for path in four_rounds.rglob("*"))
    record = roll_back(four_rounds, 3, "it lisps", by="Ada")
    assert (record.to, record.after, record.by, record.note) == (3, 4, "Ada", "it lisps")
    run_folder = RunFolder.read(four_rounds)
    assert run_folder.champion_folder == four_rounds / "round-03"
    assert read_rollbacks(four_rounds) == (record,)
    assert sorted({*four_rounds.rglob("*")} - {*before}) == [
        four_rounds / "lock",
        four_rounds / ROLLBACKS,
    ]
    assert roll_back(four_rounds, 0).to == 0 and run_folder.champion_folder is None
    assert run_folder.next_folder() == four_rounds / "round-05"


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (2, r"round 2 was refused, and its candidate never was the champion; one can go back to 0"),
        (4, "the candidate of round 4 is the champion already"),
        (7, r"round 7 does not exist; one can go back to 0, 1, 3, 4 \(0 is the untouched model\)"),
    ],
)
def test_a_round_that_cannot_be_the_champion_is_refused(
    four_rounds: Path, number: int, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        roll_back(four_rounds, number)
    assert not (four_rounds / ROLLBACKS).exists()


def test_pruned_weights_are_refused_and_the_others_are_named(four_rounds: Path) -> None:
    RunFolder.read(four_rounds).prune(PruneOptions(last=2))
    with pytest.raises(ConfigError, match=r"weights of round 1 were pruned .*go back to 0, 3, 4"):
        roll_back(four_rounds, 1)


def test_pruning_keeps_the_champion_that_was_gone_back_to(four_rounds: Path) -> None:
    roll_back(four_rounds, 1)
    finished_round(four_rounds, 5, REFUSED)
    finished_round(four_rounds, 6, REFUSED)
    RunFolder.read(four_rounds).prune(PruneOptions(last=1))
    whole = {path.parents[1].name for path in four_rounds.rglob("weights.bin")}
    assert whole == {"round-01", "round-06"}
    assert RunFolder.read(four_rounds).champion_folder == four_rounds / "round-01"


def test_a_candidate_that_awaits_approval_is_decided_first(four_rounds: Path) -> None:
    finished_round(four_rounds, 5, ACCEPTED, approval=True)
    with pytest.raises(ConfigError, match=r"round 5 awaits approval; decide first: `twister appr"):
        roll_back(four_rounds, 1)


def test_a_round_in_progress_is_set_aside_only_when_asked(four_rounds: Path) -> None:
    folder = finished_round(four_rounds, 5, ACCEPTED)
    shutil.rmtree(folder / "verdict")
    with pytest.raises(ConfigError, match=r"round-05 is in progress.*rollback .* 1 --set-aside`"):
        roll_back(four_rounds, 1)
    assert folder.is_dir()
    assert roll_back(four_rounds, 1, set_aside=True).after == 4
    assert not folder.exists() and (four_rounds / "round-05.aside-1" / "candidate").is_dir()


def test_a_run_that_another_process_works_on_is_left_alone(four_rounds: Path) -> None:
    with RunFolder.read(four_rounds).locked(), pytest.raises(BusyError):
        roll_back(four_rounds, 1)


def test_a_damaged_verdict_does_not_keep_people_from_an_older_champion(four_rounds: Path) -> None:
    (four_rounds / "round-04" / "verdict" / "verdict.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"verdict\.json"):
        _ = RunFolder.read(four_rounds).champion_folder
    with pytest.raises(ConfigError, match=r"verdict\.json"):
        roll_back(four_rounds, 4)
    assert roll_back(four_rounds, 3).after == 4
    assert RunFolder.read(four_rounds).champion_folder == four_rounds / "round-03"


@pytest.mark.parametrize("line", ["{}", "not JSON", '{"to": 1}', '{"to": -1, "after": 4}'])
def test_a_damaged_record_is_told_and_no_champion_is_guessed(four_rounds: Path, line: str) -> None:
    (four_rounds / ROLLBACKS).write_text(f"{line}\n")
    with pytest.raises(ConfigError, match=r"rollbacks\.jsonl:1: cannot be read"):
        _ = RunFolder.read(four_rounds).champion_folder


@pytest.fixture
def plan(world: Path) -> Plan:
    """A plan whose candidates are all accepted, and whose labels and voices are carried over."""
    text = world.read_text().replace("gates: [no_regression, significant]", "gates: []")
    world.write_text(text + "labeler: {relabel: new}\nkeep: {last: 5}\n")
    return load(world)


@pytest.fixture
def run(plan: Plan, world: Path) -> Path:
    """A run of two accepted rounds; the second had a new text."""
    run = world.parent / "run"
    next_round(plan, run)
    add_text(world, "jackdaws love my big sphinx of quartz")
    next_round(plan, run)
    return run


def add_text(world: Path, text: str) -> None:
    with (world.parent / "data" / "texts.txt").open("a") as texts:
        texts.write(f"{text}\n")


def test_the_next_round_goes_on_from_the_older_champion_as_the_log_says(
    plan: Plan, run: Path, world: Path, caplog: pytest.LogCaptureFixture
) -> None:
    roll_back(run, 1, "the second lisps", by="Ada")
    with pytest.raises(
        NothingNew, match=r"round 2 was rolled back to round 1 by Ada .*nothing new"
    ):
        next_round(plan, run)
    assert not list(run.glob("*round-03*"))
    add_text(world, "five quacking zephyrs jolt my wax bed")
    with caplog.at_level(logging.INFO):
        finished = next_round(plan, run)
    assert f"round 3 in {finished.folder}, champion: the candidate of round 1" in caplog.text
    inputs = read_json(finished.folder / "pseudo_labels" / "made.json")["from"]
    first, second = run / "round-01", run / "round-02"
    assert inputs["checkpoint"] == digest(first / "candidate")
    assert inputs["earlier_labels"] == digest(first / "filtered_labels")
    voice = read_json(finished.folder / "voices" / "toy" / "voice" / "made.json")["from"]
    assert digest(second / "voices" / "toy" / "voice") not in str(voice)
    assert RunFolder.read(run).champion_folder == finished.folder
    assert read_json(finished.folder / "plan.json")["champion"] == 1


def digest(artifact: Path) -> str:
    return digest_path(artifact / "made.json")


def test_untouched_is_a_champion_to_go_back_to(plan: Plan, run: Path, world: Path) -> None:
    roll_back(run, 0)
    add_text(world, "five quacking zephyrs jolt my wax bed")
    finished = next_round(plan, run)
    reports = [
        read_json(finished.folder / name / "report.json") for name in ("untouched", "champion")
    ]
    assert reports[0] == reports[1]
    assert read_json(finished.folder / "plan.json")["champion"] == 0


def test_tables_page_and_export_show_the_older_champion(run: Path) -> None:
    assert summarize(run).champion == "round-02/candidate"
    roll_back(run, 1, "it <b>lisps</b>", by="Ada")
    summary = summarize(run)
    assert summary.champion == "round-01/candidate"
    first, second = summary.rounds
    assert first.rollback is None and second.rollback and second.rollback.by == "Ada"
    assert second.accepted and second.champion == "round-01/candidate"
    dashboard.write_page(run)
    assert "<b>lisps" not in (run / "index.html").read_text()
    assert [shown["outcome"] for shown in rounds_of_page(run)] == ["accepted", "rolled back"]
    assert dashboard.folder_outcome(run / "round-02") == "rolled back"


def test_audio_of_a_round_that_was_taken_back_is_not_new(
    plan: Plan, run: Path, world: Path
) -> None:
    roll_back(run, 1, by="Ada")
    with pytest.raises(NothingNew, match=r"since round 2, which was rolled back to round 1 by Ada"):
        retrain(replace(plan, new_audio=replace(plan.new_audio, minutes=0.01, settled=0)), run)


def test_a_rollback_is_repeated_by_reproduce(plan: Plan, world: Path) -> None:
    run, again = world.parent / "run", world.parent / "again"
    next_round(plan, run)
    next_round(plan, run)
    roll_back(run, 1, by="Ada")
    world.write_text(world.read_text() + "seed: 7\n")
    next_round(load(world), run)
    assert all(repetition.is_identical for repetition in reproduce(run, again))
    assert read_rollbacks(again) == read_rollbacks(run)
    assert read_json(again / "round-03" / "plan.json")["champion"] == 1


def test_weights_that_were_edited_are_no_champion_to_go_back_to(run: Path) -> None:
    weights = run / "round-01" / "candidate" / "codebook.json"
    weights.write_bytes(weights.read_bytes() + b"0")
    with pytest.raises(StaleError, match=r"is not what its stage wrote"):
        roll_back(run, 1)


def test_a_refused_candidate_is_not_made_again_until_something_is_new(
    plan: Plan, world: Path
) -> None:
    approval_plan, run = replace(plan, approval=True), world.parent / "approved"
    next_round(approval_plan, run)
    approve(run)
    add_text(world, "jackdaws love my big sphinx of quartz")
    next_round(approval_plan, run)
    refuse(run, "it lisps", by="Ada")
    # The voice of round 2 would train further, which is no news.
    with pytest.raises(NothingNew, match=r"round 2 was refused by Ada on .*: it lisps, and pool"):
        next_round(approval_plan, run)
    # The same texts in another order, and a pool under other names, are no news either.
    texts = world.parent / "data" / "texts.txt"
    texts.write_text("".join(reversed(texts.read_text().splitlines(keepends=True))))
    (world.parent / "data" / "pool" / "0.wav").rename(world.parent / "data" / "pool" / "z.wav")
    with pytest.raises(NothingNew, match="round 2 was refused by Ada"):
        next_round(approval_plan, run)
    add_text(world, "five quacking zephyrs jolt my wax bed")
    assert next_round(approval_plan, run).number == 3
    assert (run / "round-01" / PRUNED).exists() is False
