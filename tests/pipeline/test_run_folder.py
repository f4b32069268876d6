"""The folder of a run: rounds in the order of their numbers, the champion, and pruning."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from twister_loop import Manifest, load, next_round
from twister_loop.core.artifacts import PRUNED, read_json, write_json
from twister_loop.core.digests import digest_path
from twister_loop.core.errors import EditedError
from twister_loop.core.tallies import Funnel, MixtureContents, Tally
from twister_loop.core.types import Objection
from twister_loop.decisions import roll_back
from twister_loop.errors import ConfigError
from twister_loop.pipeline.run_check import list_strays
from twister_loop.pipeline.run_folder import PruneOptions, RunFolder, round_number
from twister_loop.reporting import record_cache
from twister_loop.reporting.current_stage import find_current_stage
from twister_loop.reporting.summary import summarize
from twister_loop.types import Checkpoint, Plan, Report, Verdict

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
    write_json({"approval": approval, "plan": {}}, folder / "plan.json")
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


def note(folder: Path, **fields: object) -> None:
    """Add fields to the note of a round, as real rounds have them."""
    write_json({**read_json(folder / "plan.json"), **fields}, folder / "plan.json")


def test_a_copy_of_a_round_under_the_name_of_another_is_told(run: Path) -> None:
    note(finished_round(run, 1, ACCEPTED), round=1)
    shutil.copytree(run / "round-01", run / "round-02")
    with pytest.raises(ConfigError, match=r"round-02 holds round 1 under another name, as a copy"):
        _ = RunFolder.read(run).champion
    shutil.rmtree(run / "round-02")
    shutil.copytree(run / "round-01", run / "round-2")
    with pytest.raises(ConfigError, match=r"round-2 holds round 1 under another name"):
        summarize(run)


def test_folders_that_look_like_rounds_are_named(run: Path) -> None:
    finished_round(run, 1, ACCEPTED)
    for name in ("round-01 (copy)", "round-02.aside-1", "round-x"):
        (run / name).mkdir()
    (run / "round-07").touch()
    assert [path.name for path in list_strays(run)] == ["round-01 (copy)", "round-07", "round-x"]
    assert RunFolder.read(run).next_folder().name == "round-02"


def test_a_champion_that_was_deleted_by_hand_is_told_and_no_other_is_taken(run: Path) -> None:
    finished_round(run, 1, ACCEPTED)
    finished_round(run, 2, ACCEPTED)
    note(finished_round(run, 3, REFUSED), champion=2)
    run_folder = RunFolder.read(run)
    assert run_folder.champion_folder == run / "round-02"
    shutil.rmtree(run / "round-02")
    with pytest.raises(ConfigError, match=r"round-02/candidate is missing.*`twister rollback .*RO"):
        _ = run_folder.champion
    # The command that the message names helps, also to the champion that the folders show.
    roll_back(run, 1)
    assert run_folder.champion_folder == run / "round-01"


def test_a_verdict_that_changed_by_hand_changes_no_champion(run: Path) -> None:
    finished_round(run, 1, ACCEPTED)
    finished_round(run, 2, ACCEPTED)
    note(finished_round(run, 3, REFUSED), champion=2)
    shutil.rmtree(run / "round-02" / "verdict")
    REFUSED.save(run / "round-02" / "verdict")
    write_json({}, run / "round-02" / "verdict" / "made.json")
    with pytest.raises(ConfigError, match=r"from the candidate of round 2, but by the verdicts"):
        _ = RunFolder.read(run).champion


def test_a_champion_that_was_the_last_round_is_missed_if_it_is_deleted(run: Path) -> None:
    for number in (1, 2):
        finished_round(run, number, ACCEPTED)
    RunFolder.read(run).note_champion()
    shutil.rmtree(run / "round-02")
    with pytest.raises(ConfigError, match=r"round-02 is missing, and its candidate was the champ"):
        _ = RunFolder.read(run).champion
    assert roll_back(run, 1).after == 2
    assert RunFolder.read(run).champion_folder == run / "round-01"
    # No number is used twice: the rollback counts for the rounds before it.
    assert RunFolder.read(run).next_folder() == run / "round-03"


def test_a_last_round_that_was_refused_may_be_deleted(run: Path) -> None:
    finished_round(run, 1, ACCEPTED)
    finished_round(run, 2, REFUSED)
    RunFolder.read(run).note_champion()
    shutil.rmtree(run / "round-02")
    assert RunFolder.read(run).champion_folder == run / "round-01"
    assert RunFolder.read(run).next_folder() == run / "round-02"


def test_an_edited_verdict_is_no_verdict(run: Path) -> None:
    folder = finished_round(run, 1, REFUSED)
    content = {"content": {"verdict.json": digest_path(folder / "verdict" / "verdict.json")}}
    write_json(content, folder / "verdict" / "made.json")
    ACCEPTED.save(folder / "verdict")
    with pytest.raises(EditedError, match=r"verdict\.json is not what its stage wrote"):
        _ = RunFolder.read(run).champion


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"plan": 1}'])
def test_a_finished_round_without_its_note_is_told(run: Path, text: str | None) -> None:
    # Without it nobody knows whether a person has to approve the candidate.
    path = finished_round(run, 1, ACCEPTED) / "plan.json"
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=r"round-01/plan\.json"):
        _ = RunFolder.read(run).champion


def test_candidate_weights_that_were_deleted_by_hand_are_told(run: Path) -> None:
    shutil.rmtree(finished_round(run, 1, ACCEPTED) / "candidate")
    with pytest.raises(ConfigError, match=r"round-01/candidate is missing, and its weights are th"):
        _ = RunFolder.read(run).champion


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((1, 2), "round-01/verdict is missing, although round-03 was finished later"),
        ((4, 5), "round-04 and round-05 are both unfinished"),
    ],
)
def test_only_the_last_round_may_be_in_progress(
    run: Path, numbers: tuple[int, ...], message: str
) -> None:
    finished_round(run, 3, ACCEPTED)
    for number in numbers:
        shutil.rmtree(finished_round(run, number, ACCEPTED) / "verdict")
    with pytest.raises(ConfigError, match=message):
        RunFolder.read(run).check_rounds()


def test_a_round_is_set_aside_beside_those_that_were_before(run: Path) -> None:
    for kept in (2, 3):
        (run / f"round-01.aside-{kept}").mkdir()
        (run / f"round-01.aside-{kept}" / "file").touch()
    for expected in (1, 4):
        (run / "round-01").mkdir()
        assert RunFolder.read(run).set_aside() == run / f"round-01.aside-{expected}"


@pytest.mark.parametrize("text", ["[]", "{}", "3", '{"format": 99}'])
def test_a_marker_that_was_damaged_is_told(run: Path, text: str) -> None:
    (run / "run.json").write_text(text)
    with pytest.raises(ConfigError, match=r"a run of format .*, and this version reads format"):
        RunFolder.read(run)


def test_a_run_inside_a_run_is_refused(run: Path) -> None:
    finished_round(run, 1, ACCEPTED)
    with pytest.raises(ConfigError, match=r"inside the run .*; name a folder outside of it"):
        RunFolder.open(run / "round-01" / "another")
    assert not (run / "round-01" / "another").exists()


@pytest.fixture
def accepting(world: Path) -> Plan:
    """A plan that accepts every candidate."""
    world.write_text(world.read_text().replace("[no_regression, significant]", "[]"))
    return load(world)


def edit(path: Path) -> None:
    content = path.read_bytes()
    edited = content.replace(b"0", b"1", 1)  # still a file of its format
    assert edited != content
    path.write_bytes(edited)


def killed_before(plan: Plan, run: Path, stage: str) -> None:
    """Run the first round until a stage begins."""

    def stop(stage_function: Any) -> Any:
        if stage_function.__name__ == stage:
            raise KeyboardInterrupt
        return stage_function

    with pytest.raises(KeyboardInterrupt):
        next_round(plan, run, stop)


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        ("transcribe", "inputs/development/dev/manifest.jsonl"),
        ("mix", "filtered_labels/manifest.jsonl"),
        ("fine_tune", "mixture/manifest.jsonl"),
        ("judge", "champion/report.json"),
        ("judge", "untouched/development/dev/manifest.jsonl"),
    ],
)
def test_files_edited_between_stages_are_named_with_the_command_that_helps(
    accepting: Plan, tmp_path: Path, stage: str, name: str
) -> None:
    run = tmp_path / "run"
    killed_before(accepting, run, stage)
    edit(run / "round-01" / name)
    remedy = f"set round-01 aside and begin it again with `twister round {accepting.path} {run} --r"
    with pytest.raises(EditedError) as raised:
        next_round(accepting, run)
    assert str(run / "round-01" / name) in str(raised.value) and remedy in str(raised.value)
    RunFolder.read(run).set_aside()
    assert next_round(accepting, run).number == 1


def test_an_edited_champion_is_told_with_the_rollback(accepting: Plan, tmp_path: Path) -> None:
    run = tmp_path / "run"
    next_round(accepting, run)
    edit(run / "round-01" / "candidate" / "codebook.json")
    with pytest.raises(EditedError, match=r"go on from an older champion with `twister rollback"):
        next_round(accepting, run)


def test_a_run_that_was_moved_or_copied_goes_on(accepting: Plan, tmp_path: Path) -> None:
    run = tmp_path / "run"
    killed_before(accepting, run, "mix")
    moved = tmp_path / "elsewhere" / "renamed"
    moved.parent.mkdir()
    run.rename(moved)
    assert next_round(accepting, moved).number == 1
    copy = tmp_path / "copy"
    shutil.copytree(moved, copy, copy_function=shutil.copy)  # with other times
    shutil.rmtree(moved)
    second = next_round(accepting, copy)
    assert read_json(second.folder / "champion" / "timing.json") == {"seconds": 0.0}  # carried over
    assert str(tmp_path / "elsewhere") not in (second.folder / "mixture/manifest.jsonl").read_text()


def test_a_plan_of_another_engine_needs_another_folder(
    accepting: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    next_round(accepting, tmp_path / "run")
    monkeypatch.setattr(type(accepting.asr), "name", "another")
    with pytest.raises(ConfigError, match=r"trains another, and the champion of .* engine toy"):
        next_round(accepting, tmp_path / "run")


@pytest.mark.parametrize("emptied", ["plan.json", "plan.json and inputs", "everything"])
def test_a_round_in_progress_that_was_emptied_is_told(
    accepting: Plan, tmp_path: Path, emptied: str
) -> None:
    run = tmp_path / "run"
    killed_before(accepting, run, "mix")
    folder = run / "round-01"
    (folder / "plan.json").unlink()
    if emptied != "plan.json":
        shutil.rmtree(folder / "inputs")
    if emptied == "everything":
        shutil.rmtree(folder)
        folder.mkdir()
    with pytest.raises(
        ConfigError, match=r"plan\.json: missing.*`twister round PLAN .* --restart`"
    ):
        next_round(accepting, run)
    summarize(run)
    RunFolder.read(run).set_aside()
    assert next_round(accepting, run).number == 1
