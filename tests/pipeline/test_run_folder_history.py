"""What a run's folder tells: its champion after refusals, approvals, rollbacks and lost rounds."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from twister_loop.core.artifacts import PRUNED, read_json, write_json
from twister_loop.core.errors import BusyError, EditedError
from twister_loop.core.types import Objection
from twister_loop.errors import ConfigError
from twister_loop.evaluation.trials import VoiceTrial
from twister_loop.pipeline.pruning import PruneOptions
from twister_loop.pipeline.rollbacks import (
    ROLLBACKS,
    Rollback,
    find_standing,
    last_rollback_of,
    read_rollbacks,
    write_rollbacks,
)
from twister_loop.pipeline.run_check import (
    FORMAT,
    list_rounds,
    list_strays,
    read_note,
    recorded_champion,
    round_name,
)
from twister_loop.pipeline.run_folder import (
    Approval,
    RunFolder,
    approval_of,
    asks_approval,
    awaits_approval,
    is_approved,
    is_finished,
    load_round,
    verdict_of,
)
from twister_loop.types import Checkpoint, ErrorCount, Report, Verdict

ACCEPTED = Verdict(())
REFUSED = Verdict((Objection("no_regression", "worse"),))


def write_round(run: Path, number: int, verdict: Verdict | None, /, **note: Any) -> Path:
    """Write a small round; without a verdict it is in progress."""
    folder = run / f"round-{number:02d}"
    Checkpoint("toy", digest=f"of round {number}").save(folder / "candidate")
    (folder / "candidate" / "weights.bin").write_bytes(b"weights" * number)
    write_json({}, folder / "candidate" / "made.json")
    Report((), normalizer={"use": "basic"}).save(folder / "report")
    write_json({"round": number, "plan": {}, **note}, folder / "plan.json")
    if verdict:
        verdict.save(folder / "verdict")
        write_json({}, folder / "verdict" / "made.json")
    return folder


def decide(folder: Path, approved: bool) -> None:
    decision = Approval(approved, "Ada", "2026-11-29T01:02:03+00:00", note="it lisps")
    decision.save(folder / "approval")
    write_json({}, folder / "approval" / "made.json")


def go_back(run: Path, *steps: tuple[int, int]) -> None:
    write_rollbacks((Rollback(to, after, "Ada", "2026-11-29") for to, after in steps), run)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    RunFolder.open(tmp_path / "run")
    return tmp_path / "run"


def champion(run: Path) -> str | None:
    folder = RunFolder.read(run).champion_folder
    return folder.name if folder else None


def test_the_last_accepted_candidate_is_the_champion(run: Path) -> None:
    assert champion(run) is None and RunFolder.read(run).champion is None
    write_round(run, 1, REFUSED)
    assert champion(run) is None
    write_round(run, 2, ACCEPTED)
    assert champion(run) == "round-02"
    write_round(run, 3, REFUSED)
    weights = RunFolder.read(run).champion
    assert weights and weights.digest == "of round 2" and champion(run) == "round-02"
    assert weights.location == run / "round-02" / "candidate"
    write_round(run, 4, None)
    assert champion(run) == "round-02", "a round in progress has no candidate yet"


def test_a_person_decides_where_the_plan_asks_for_it(run: Path) -> None:
    write_round(run, 1, ACCEPTED, approval=False)
    folder = write_round(run, 2, ACCEPTED, approval=True)
    run_folder = RunFolder.read(run)
    assert asks_approval(folder) and awaits_approval(folder) and not is_approved(folder)
    assert run_folder.awaiting_approval == folder and champion(run) == "round-01"
    decide(folder, approved=False)
    assert not awaits_approval(folder) and not is_approved(folder)
    assert RunFolder.read(run).awaiting_approval is None and champion(run) == "round-01"
    decision = approval_of(folder)
    assert str(decision) == "refused by Ada on 2026-11-29T01:02:03+00:00: it lisps"
    assert str(Approval(True, "Bob", "now")) == "approved by Bob on now"
    third = write_round(run, 3, ACCEPTED, approval=True)
    decide(third, approved=True)
    assert is_approved(third) and champion(run) == "round-03"
    fourth = write_round(run, 4, REFUSED, approval=True)
    assert not awaits_approval(fourth) and not is_approved(fourth), "the gates refused it already"
    assert approval_of(fourth) is None


@pytest.mark.parametrize("name", ["verdict", "approval"])
def test_an_edited_decision_is_not_taken(run: Path, name: str) -> None:
    folder = write_round(run, 1, ACCEPTED, approval=True)
    decide(folder, approved=False)
    file = folder / name / f"{name}.json"
    write_json({"content": {file.name: "0" * 16}}, file.with_name("made.json"))
    with pytest.raises(EditedError, match=rf"{name}\.json is not what its stage wrote"):
        verdict_of(folder) if name == "verdict" else approval_of(folder)


def test_a_rollback_takes_back_the_rounds_after_it(run: Path) -> None:
    folders = [write_round(run, number, ACCEPTED) for number in (1, 2, 3)]
    go_back(run, (1, 3))
    run_folder = RunFolder.read(run)
    assert champion(run) == "round-01"
    assert run_folder.standing_rounds == folders[:1] and run_folder.finished_rounds == folders
    assert run_folder.last_labels == folders[0] / "pseudo_labels"
    assert run_folder.last_filtered_labels == folders[0] / "filtered_labels"
    assert run_folder.next_folder() == run / "round-04"
    assert run_folder.rollback_of(folders[0]) is None
    assert str(run_folder.rollback_of(folders[2])) == (
        "rolled back to round 1 by Ada on 2026-11-29"
    )
    assert run_folder.champion_before(folders[2]) == folders[1], "as it was at that time"
    fourth = write_round(run, 4, REFUSED, champion=1)
    assert champion(run) == "round-01" and run_folder.champion_before(fourth) == folders[0]
    assert RunFolder.read(run).standing_rounds == [folders[0], fourth]
    go_back(run, (1, 3), (0, 4))
    assert champion(run) is None and RunFolder.read(run).standing_rounds == []
    assert RunFolder.read(run).last_labels is None
    assert "the untouched model" in str(RunFolder.read(run).rollbacks[-1])


@pytest.mark.parametrize(
    ("numbers", "steps", "standing"),
    [
        ([], [], ()),
        ([1, 2], [], (1, 2)),
        ([1, 2], [(1, 2)], (1,)),
        ([1, 2], [(0, 2)], ()),
        ([1, 2, 3], [(1, 2)], (1, 3)),
        ([1, 2, 3], [(0, 2)], (3,)),
        ([1, 2, 3, 4], [(1, 2), (3, 4)], (1, 3)),
        ([1, 2, 3, 4], [(1, 2), (2, 4)], (1, 2)),  # forward again: what stood after round 2
        ([1, 2, 3], [(1, 3), (2, 3)], (1, 2)),
        ([1, 3], [(2, 3)], (1,)),  # round 2 was deleted by hand
    ],
)
def test_going_back_restores_what_stood_then(
    numbers: list[int], steps: list[tuple[int, int]], standing: tuple[int, ...]
) -> None:
    rollbacks = [Rollback(to, after, "Ada", "now") for to, after in steps]
    assert find_standing(numbers, rollbacks) == standing


def test_the_last_rollback_that_took_a_round_back_is_told() -> None:
    first, second = Rollback(1, 3, "Ada", "now"), Rollback(2, 5, "Bob", "later")
    taken = {number: last_rollback_of(number, [first, second]) for number in range(1, 7)}
    assert taken == {1: None, 2: first, 3: second, 4: second, 5: second, 6: None}


def test_rollbacks_are_read_back_and_a_damaged_line_is_named(run: Path) -> None:
    assert read_rollbacks(run) == ()
    written = (Rollback(0, 1, "Ada é", "now", note="it lisps"), Rollback(2, 3, "Bob", "later"))
    write_rollbacks(written, run)
    assert read_rollbacks(run) == written
    assert "Ada é" in (run / ROLLBACKS).read_text("utf-8")
    assert str(written[0]) == "rolled back to the untouched model by Ada é on now: it lisps"
    assert not list(run.glob(".rollbacks*"))
    with (run / ROLLBACKS).open("a") as file:
        file.write('{"to": -1}\n')
    with pytest.raises(ConfigError, match=r"rollbacks\.jsonl:3: cannot be read"):
        read_rollbacks(run)


def test_a_champion_that_is_missing_is_missed(run: Path) -> None:
    for number in (1, 2, 3):
        write_round(run, number, ACCEPTED if number < 3 else REFUSED, champion=2)
    assert recorded_champion(run) == 0
    RunFolder.read(run).note_champion()
    assert read_json(run / "run.json") == {"format": FORMAT, "champion": 2}
    assert recorded_champion(run) == 2 and champion(run) == "round-02"
    # A last round that was refused may be deleted.
    (run / "round-03").rename(run / "refused")
    assert champion(run) == "round-02"
    (run / "round-02").rename(run / "elsewhere")
    with pytest.raises(ConfigError, match=r"round-02 is missing, and its candidate was the champ"):
        champion(run)
    assert RunFolder.read(run).next_folder() == run / "round-03", "no number is used twice"
    go_back(run, (1, 2))
    assert champion(run) == "round-01", "a person has named the round to go on from"


@pytest.mark.parametrize("marker", [{"champion": "two"}, [], {}])
def test_a_marker_without_a_champion_names_none(run: Path, marker: Any) -> None:
    write_json(marker, run / "run.json")
    assert recorded_champion(run) == 0
    (run / "run.json").unlink()
    assert recorded_champion(run) == 0


def test_a_champion_that_is_not_the_one_that_was_noted_is_refused(run: Path) -> None:
    first = write_round(run, 1, ACCEPTED)
    write_round(run, 2, ACCEPTED)
    write_round(run, 3, REFUSED, champion=2)
    assert champion(run) == "round-02"
    REFUSED.save(run / "round-02" / "verdict")
    with pytest.raises(ConfigError, match="by the verdicts the champion is that of round 1"):
        champion(run)
    ACCEPTED.save(run / "round-02" / "verdict")
    (run / "round-02" / "candidate").rename(run / "moved")
    with pytest.raises(ConfigError, match=r"round-02.candidate is missing"):
        champion(run)
    go_back(run, (1, 3))
    assert champion(run) == first.name
    (first / "candidate").rename(run / "moved too")
    with pytest.raises(ConfigError, match=r"round-01.candidate is missing"):
        champion(run)


def test_runs_of_earlier_versions_do_not_note_the_champion(run: Path) -> None:
    write_round(run, 1, ACCEPTED)
    write_round(run, 2, REFUSED)
    assert champion(run) == "round-01"


def test_only_the_last_round_may_be_in_progress(run: Path) -> None:
    write_round(run, 1, ACCEPTED)
    third = write_round(run, 3, None)
    run_folder = RunFolder.read(run)
    run_folder.check_rounds()
    assert run_folder.in_progress == third and not is_finished(third)
    assert run_folder.next_folder() == run / "round-04"
    write_round(run, 2, None)
    with pytest.raises(ConfigError, match="round-02 and round-03 are both unfinished"):
        run_folder.check_rounds()
    REFUSED.save(third / "verdict")
    with pytest.raises(ConfigError, match=r"round-02.verdict is missing, although round-03 was"):
        run_folder.check_rounds()


def test_a_round_is_set_aside_under_a_name_of_its_own(run: Path) -> None:
    write_round(run, 1, ACCEPTED)
    run_folder = RunFolder.read(run)
    assert run_folder.set_aside() is None
    for number in (1, 2):
        write_round(run, 2, None)
        assert run_folder.set_aside() == run / f"round-02.aside-{number}"
    assert run_folder.in_progress is None
    assert [folder.name for folder in run_folder.round_folders] == ["round-01"]


def test_an_interrupted_evaluation_is_resumed(run: Path) -> None:
    run_folder = RunFolder.read(run)
    assert run_folder.next_evaluation() == run / "evaluation-01"
    (run / "evaluation-01").mkdir()
    assert run_folder.next_evaluation() == run / "evaluation-01"
    for number in range(1, 10):
        (run / f"evaluation-{number:02d}" / "report").mkdir(parents=True)
    assert run_folder.next_evaluation() == run / "evaluation-10"


def test_the_last_voice_that_passed_and_still_has_weights_is_used(run: Path) -> None:
    run_folder = RunFolder.read(run)
    folders = [write_round(run, number, ACCEPTED) for number in (1, 2, 3, 4, 5)]

    def give_voice(number: int, name: str, errors: int) -> Path:
        voices = folders[number - 1] / "voices" / name
        Checkpoint("toy", digest=f"{name} {number}").save(voices / "voice")
        count = ErrorCount(substitutions=errors, hits=10 - errors)
        VoiceTrial(name, 3, 3, count, limit=0.3).save(voices / "trial")
        return voices

    assert run_folder.voice("it") is None
    for number, errors in ((1, 3), (2, 1), (3, 4)):  # the third failed its trial
        give_voice(number, "it", errors)
    give_voice(4, "en", 0)
    fifth = give_voice(5, "it", 0)
    shutil.rmtree(fifth / "trial")  # interrupted before the trial
    assert read_digest(run_folder, "it") == "it 2" and read_digest(run_folder, "en") == "en 4"
    assert run_folder.voice("ko") is None
    trials = load_round(folders[1]).trials
    assert [(trial.voice, trial.characters.errors) for trial in trials] == [("it", 1)]
    (folders[1] / "voices" / "it" / "voice" / PRUNED).touch()
    assert read_digest(run_folder, "it") == "it 1"
    (folders[0] / "voices" / "it" / "voice" / "checkpoint.json").unlink()
    assert run_folder.voice("it") is None
    go_back(run, (3, 5))
    assert run_folder.voice("en") is None, "a round that was taken back lends no voice"


def read_digest(run_folder: RunFolder, voice: str) -> str | None:
    checkpoint = run_folder.voice(voice)
    return checkpoint.digest if checkpoint else None


def test_pruning_spares_the_champion_the_last_rounds_and_what_stands(run: Path) -> None:
    for number in range(1, 7):
        write_round(run, number, ACCEPTED if number == 2 else REFUSED, champion=2 * (number > 2))
    run_folder = RunFolder.read(run)
    freed = run_folder.prune(PruneOptions(last=1))

    def whole() -> set[str]:
        return {path.parents[1].name for path in run.rglob("weights.bin")}

    assert whole() == {"round-02", "round-06"}
    assert freed == len(b"weights") * (1 + 3 + 4 + 5)
    assert not run_folder.unfinished_pruning.exists()
    assert (run / "round-01" / "candidate" / PRUNED).is_file()
    assert (run / "round-01" / "candidate" / "checkpoint.json").is_file()
    assert run_folder.prune(PruneOptions(last=0)) == 0 and whole() == {"round-02", "round-06"}


def test_pruning_after_a_rollback_spares_the_champion_of_then(run: Path) -> None:
    for number in range(1, 6):
        write_round(run, number, ACCEPTED)
    go_back(run, (2, 5))
    RunFolder.read(run).prune(PruneOptions(last=2))
    whole = {path.parents[1].name for path in run.rglob("weights.bin")}
    assert whole == {"round-02", "round-04", "round-05"}


def test_a_folder_is_opened_as_a_run_only_if_it_is_one_or_empty(tmp_path: Path) -> None:
    run = tmp_path / "deep" / "run"
    with pytest.raises(ConfigError, match="no run here; `twister run PLAN"):
        RunFolder.read(run)
    assert RunFolder.open(run).path == run and read_json(run / "run.json") == {"format": FORMAT}
    write_json({"format": FORMAT, "last_round": 3}, run / "run.json")
    RunFolder.open(run)
    assert read_json(run / "run.json")["last_round"] == 3, "nothing is written anew"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").touch()
    with pytest.raises(ConfigError, match="not a run, and not empty"):
        RunFolder.open(tmp_path / "other")
    with pytest.raises(ConfigError, match="not a run, and not empty"):
        RunFolder.open(tmp_path / "other" / "thesis.txt")
    with pytest.raises(ConfigError, match="the folder cannot be made"):
        RunFolder.open(tmp_path / "other" / "thesis.txt" / "run")


@pytest.mark.parametrize("marker", [{"format": FORMAT - 1}, [], {}])
def test_a_run_of_another_format_is_refused_with_a_way_on(run: Path, marker: Any) -> None:
    write_json(marker, run / "run.json")
    with pytest.raises(ConfigError, match="it has no champion, so begin a new run"):
        RunFolder.read(run)
    write_round(run, 9, ACCEPTED)
    write_round(run, 10, ACCEPTED)
    write_round(run, 11, REFUSED)
    (write_round(run, 12, ACCEPTED) / "candidate").rename(run / "lost")
    with pytest.raises(ConfigError, match=r"model: /.*round-10/candidate"):
        RunFolder.read(run)


def test_copies_of_rounds_are_refused_and_strays_are_listed(run: Path) -> None:
    write_round(run, 1, ACCEPTED)
    for name in ("round-01 (copy)", "round-02.aside-1", "round-x"):
        (run / name).mkdir()
    (run / "round-07").touch()
    assert [path.name for path in list_rounds(run)] == ["round-01"]
    assert [path.name for path in list_strays(run)] == ["round-01 (copy)", "round-07", "round-x"]
    write_round(run, 2, ACCEPTED, round=1)
    with pytest.raises(ConfigError, match="round-02 holds round 1 under another name"):
        list_rounds(run)
    (run / "round-02").rename(run / "round-2")
    with pytest.raises(ConfigError, match="round-2 holds round 1 under another name"):
        list_rounds(run)
    write_json({"plan": {}}, run / "round-2" / "plan.json")
    with pytest.raises(ConfigError, match="rename it to round-02"):
        list_rounds(run)
    assert (round_name(3), round_name(123)) == ("round-03", "round-123")


@pytest.mark.parametrize("note", [None, [], {}, {"plan": []}])
def test_a_round_without_a_note_is_told_with_a_way_on(run: Path, note: Any) -> None:
    folder = write_round(run, 1, None)
    if note is None:
        (folder / "plan.json").unlink()
    else:
        write_json(note, folder / "plan.json")
    what = "missing" if note is None else "damaged"
    with pytest.raises(ConfigError, match=rf"plan\.json: {what}, .*--restart"):
        read_note(folder)
    ACCEPTED.save(folder / "verdict")
    with pytest.raises(ConfigError, match=rf"plan\.json: {what}, .*twister rollback"):
        read_note(folder)


def test_the_last_clustered_speakers_of_a_standing_round_are_used(run: Path) -> None:
    run_folder = RunFolder.read(run)
    assert run_folder.last_speakers is None and run_folder.last_filtered_labels is None
    for number in (1, 2, 3):
        write_round(run, number, ACCEPTED)
    for number in (1, 2):
        (run / f"round-{number:02d}" / "speakers").mkdir()
    assert run_folder.last_speakers == run / "round-02" / "speakers"
    go_back(run, (1, 3))
    assert run_folder.last_speakers == run / "round-01" / "speakers"


def test_two_processes_do_not_work_on_one_run(run: Path) -> None:
    first, second = RunFolder.read(run), RunFolder.read(run)
    with first.locked(), pytest.raises(BusyError), second.locked():
        raise AssertionError("the lock was given twice")
    with RunFolder.read(run).locked():
        pass


def test_a_finished_round_is_read_as_a_whole(run: Path) -> None:
    folder = write_round(run, 12, REFUSED)
    done = load_round(folder)
    assert (done.number, done.folder, done.verdict, done.trials) == (12, folder, REFUSED, ())
    # Trials are read by name, and not as the file system lists them.
    names = [f"voice{number}" for number in (7, 3, 9, 1, 5, 8, 2)]
    for name in names:
        trial = VoiceTrial(name, 3, 3, ErrorCount(hits=1), limit=0.3)
        trial.save(folder / "voices" / name / "trial")
    assert [trial.voice for trial in load_round(folder).trials] == sorted(names)
    assert done.candidate.digest == "of round 12" and done.report.folder == folder / "report"
