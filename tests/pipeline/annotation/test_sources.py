"""Annotated recordings leave the pool, and no champion is judged on what it learned from."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.annotating import begin, build_plan, transcribe_all
from twister_loop.core.errors import LeakError
from twister_loop.core.forgotten import DIGEST_LENGTH
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import Funnel
from twister_loop.pipeline.forecast import make_forecast
from twister_loop.pipeline.loop import evaluate, next_round, retrain
from twister_loop.pipeline.plan import Plan
from twister_loop.pipeline.plan_reader import load
from twister_loop.pipeline.plan_schema import NewAudioOptions
from twister_loop.pipeline.rollback import roll_back


def recordings_in(folder: Path) -> set[str]:
    return {line.id[:DIGEST_LENGTH] for line in Manifest(folder) if line.origin != "synthetic"}


def test_a_held_out_recording_leaves_the_pool_and_the_round_runs(tmp_path: Path) -> None:
    plan, run = build_plan(tmp_path), tmp_path / "run"
    taken = {clip_id[:DIGEST_LENGTH] for clip_id in transcribe_all(begin(plan))}
    round_ = next_round(plan, run)
    inputs = round_.folder / "inputs"
    assert not taken & recordings_in(inputs / "pool")
    assert not taken & recordings_in(round_.folder / "filtered_labels")
    assert Funnel.load(inputs / "pool").rejected["annotated"].utterances == len(taken)
    objections = {line.objection for line in Manifest(inputs / "pool" / "rejected")}
    assert objections == {"its recording is in development.calls"}
    assert round_.report.score("calls").utterances == 5


def test_a_clip_for_training_is_not_labeled_again_and_its_recording_stays(tmp_path: Path) -> None:
    plan = build_plan(tmp_path, human="data/spoken", development={"dev": "data/development"})
    ids = transcribe_all(begin(plan, set_name="human"))
    folder = next_round(plan, tmp_path / "run").folder
    assert set(ids) <= {line.id for line in Manifest(folder / "inputs/pool")}
    assert not set(ids) & {line.id for line in Manifest(folder / "pool")}
    assert Funnel.load(folder / "pool").rejected["annotated"].utterances == len(ids)
    assert len(Manifest(folder / "inputs/human")) == len(ids)


def test_annotated_recordings_are_no_new_audio(tmp_path: Path) -> None:
    plan, run = build_plan(tmp_path), tmp_path / "run"
    transcribe_all(begin(plan))
    next_round(plan, run)
    eager = replace(plan, new_audio=NewAudioOptions(minutes=0.0, settled=0.0))
    with pytest.raises(Exception, match="0 new recordings"):
        retrain(eager, run)


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Plan, Path]:
    """A plan with a set of recordings that an accepted champion has learned from, and the run."""
    plan, run = build_plan(tmp_path), tmp_path / "run"
    before = build_plan(tmp_path / "known", development={"dev": "data/development"})
    assert next_round(replace(before, pool=plan.pool), run).verdict.accepted
    session = begin(plan, run=run)
    assert session.learned[1]
    transcribe_all(session)
    return plan, run


def test_a_champion_is_not_judged_on_recordings_that_it_learned_from(
    trained: tuple[Plan, Path],
) -> None:
    plan, run = trained
    message = r"development\.calls: round 1 of .*run trained on [1-5] of its recordings"
    for judge in (next_round, evaluate):
        with pytest.raises(LeakError, match=message) as refusal:
            judge(plan, run)
        assert f"twister rollback {run} 0" in str(refusal.value)
    [problem] = [line for line in make_forecast(plan, run).problems if "rollback" in line]
    assert problem == str(refusal.value), "a check tells it before lists are made"
    roll_back(run, 0)
    assert not any("rollback" in line for line in make_forecast(plan, run).problems)
    assert next_round(plan, run).number == 2


def test_rounds_after_the_set_was_made_go_on(tmp_path: Path) -> None:
    plan, run = build_plan(tmp_path), tmp_path / "run"
    transcribe_all(begin(plan))
    next_round(plan, run)
    more = begin(plan, run=run, count=7)
    assert more.overview().done == 5
    changed = replace(plan, seed=plan.seed + 1)
    assert next_round(changed, run).number == 2


def test_a_champion_is_not_judged_on_recordings_that_were_moved_by_hand(tmp_path: Path) -> None:
    before, run = build_plan(tmp_path, development={"dev": "data/development"}), tmp_path / "run"
    first = next_round(before, run)
    assert first.verdict.accepted
    learned = recordings_in(first.folder / "filtered_labels")
    clips = [line for line in Manifest(first.folder / "pool") if line.id[:DIGEST_LENGTH] in learned]
    moved, rows = tmp_path / "data" / "moved", ["file_name,text"]
    moved.mkdir()
    for number, clip in enumerate(clips[:3]):
        clip.audio_filepath.rename(moved / f"{number}.wav")
        rows.append(f"{number}.wav,a e")
    (moved / "metadata.csv").write_text("\n".join(rows) + "\n")
    sets = {"dev": "data/development", "moved": "data/moved"}
    after = load(before.path, {"development": sets})
    for judge in (next_round, evaluate):
        with pytest.raises(LeakError, match=r"development\.moved: round 1 of .* trained on 3 of"):
            judge(after, run)
    roll_back(run, 0)
    assert evaluate(after, run).score("moved").utterances == 3
