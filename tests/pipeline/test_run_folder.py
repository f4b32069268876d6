"""The folder of a run: rounds in the order of their numbers, the champion, and pruning."""

from __future__ import annotations

from pathlib import Path

import pytest

from twister_loop import Checkpoint, ConfigError, Manifest, Report, Verdict
from twister_loop.core.artifacts import PRUNED, write_json
from twister_loop.core.tallies import Funnel, MixtureContents, Tally
from twister_loop.core.types import Objection
from twister_loop.pipeline.run_folder import PruneOptions, RunFolder, round_number
from twister_loop.reporting import record_cache
from twister_loop.reporting.current_stage import find_current_stage
from twister_loop.reporting.summary import summarize

ACCEPTED = Verdict(())
REFUSED = Verdict((Objection("no_regression", "worse"),))


def finished_round(run: Path, number: int, verdict: Verdict, *, approval: bool = False) -> Path:
    """Write the smallest finished round, with weights that pruning would delete."""
    folder = run / f"round-{number:02d}"
    (folder / "candidate").mkdir(parents=True)
    (folder / "candidate" / "weights.bin").write_bytes(b"weights")
    write_json({}, folder / "candidate" / "made.json")
    Checkpoint("toy", folder / "candidate").save(folder / "candidate")
    Report((), normalizer={"use": "basic"}).save(folder / "report")
    verdict.save(folder / "verdict")
    for stage in ("pool", "filtered_labels", "texts"):
        Funnel(Tally(), {}).save(folder / stage)
        Manifest.write((), folder / stage)
    MixtureContents(()).save(folder / "mixture")
    Manifest.write((), folder / "mixture")
    for stage in ("report", "verdict"):
        write_json({}, folder / stage / "made.json")
    write_json({"approval": approval, "plan": {}, "voices": {}}, folder / "plan.json")
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    RunFolder.open(tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("last", [12, 103])
def test_rounds_are_sorted_by_number(run: Path, last: int) -> None:
    for number in reversed(range(1, last + 1)):
        finished_round(run, number, ACCEPTED)
    run_folder = RunFolder.read(run)
    numbers = [round_number(folder) for folder in run_folder.round_folders]
    assert numbers == list(range(1, last + 1))
    assert run_folder.champion_folder == run / f"round-{last}"
    assert run_folder.next_folder() == run / f"round-{last + 1}"
    assert run_folder.last_labels == run / f"round-{last}" / "pseudo_labels"


def test_pruning_keeps_the_newest_rounds_also_after_round_99(run: Path) -> None:
    for number in (98, 99, 100, 101):
        finished_round(run, number, ACCEPTED if number == 101 else REFUSED)
    freed = RunFolder.read(run).prune(PruneOptions(last=2))
    unpruned = {path.parents[1].name for path in run.rglob("weights.bin")}
    assert unpruned == {"round-100", "round-101"} and freed == 2 * len(b"weights")


def test_a_candidate_after_round_99_awaits_approval(run: Path) -> None:
    finished_round(run, 99, REFUSED)
    folder = finished_round(run, 100, ACCEPTED, approval=True)
    run_folder = RunFolder.read(run)
    assert run_folder.awaiting_approval == folder and run_folder.champion is None


def test_the_summary_names_the_champion_before_each_round_by_number(run: Path) -> None:
    for number in (9, 10, 99, 100):
        finished_round(run, number, ACCEPTED)
    champions = [summary.champion for summary in summarize(run).rounds]
    assert [champion.split("/")[0] for champion in champions[1:]] == [
        "round-09",
        "round-10",
        "round-99",
    ]


def test_folders_that_are_no_rounds_are_ignored(run: Path) -> None:
    finished_round(run, 1, REFUSED)
    for name in ("round-01 (copy)", "round-02.aside-1", "rounds", "round-x"):
        (run / name).mkdir()
    run_folder = RunFolder.read(run)
    assert [folder.name for folder in run_folder.round_folders] == ["round-01"]
    assert run_folder.next_folder().name == "round-02"


def test_an_empty_verdict_is_an_error(run: Path) -> None:
    folder = finished_round(run, 1, ACCEPTED)
    (folder / "verdict" / "verdict.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"verdict\.json.*objections"):
        _ = RunFolder.read(run).champion


def test_a_kill_before_the_first_file_of_a_run_leaves_a_folder_that_can_be_used(
    tmp_path: Path,
) -> None:
    (tmp_path / ".run.json").touch()
    assert RunFolder.open(tmp_path).round_folders == []


def test_an_artifact_is_marked_as_pruned_before_its_first_file_is_deleted(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = finished_round(run, 1, REFUSED)
    finished_round(run, 2, REFUSED)

    def kill(path: Path, missing_ok: bool = False) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(Path, "unlink", kill)
        with pytest.raises(KeyboardInterrupt):
            RunFolder.read(run).prune(PruneOptions(last=1))
    assert (first / "candidate" / "weights.bin").is_file()
    assert (first / "candidate" / PRUNED).is_file()
    # What is left tells that the pruning has to be repeated.
    assert RunFolder.read(run).unfinished_pruning.exists()
    assert RunFolder.read(run).prune(PruneOptions(last=1)) == len(b"weights")
    assert not RunFolder.read(run).unfinished_pruning.exists()


@pytest.mark.parametrize(
    "name", [".untouched/timing.json", ".untouched~/timing.json", ".x/y/timing.json"]
)
def test_hidden_folders_are_read_by_no_table(run: Path, name: str) -> None:
    folder = finished_round(run, 1, REFUSED)
    before = summarize(run)
    (folder / name).parent.mkdir(parents=True)
    (folder / name).touch()
    record_cache.clear_memory()
    assert summarize(run) == before
    assert find_current_stage(run) is None
