"""Clips are drawn by content: the same every time, from as many recordings as possible."""

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests import world as toy
from tests.annotating import MORE, begin, build_plan, decide, transcribe_all
from twister_loop.core.errors import ConfigError
from twister_loop.core.forgotten import DIGEST_LENGTH
from twister_loop.core.types import Utterance
from twister_loop.pipeline.annotation import drawing
from twister_loop.pipeline.annotation.sources import find_rounds_that_learned
from twister_loop.pipeline.loop import next_round
from twister_loop.pipeline.run_folder import RunFolder


def test_the_same_clips_are_drawn_again_after_files_were_renamed_and_added(tmp_path: Path) -> None:
    plan = build_plan(tmp_path)
    pool = tmp_path / "data" / "pool"
    before = [clip.id for clip in begin(plan).clips]
    shutil.move(pool / "more", pool / "other")
    assert [clip.id for clip in begin(plan).clips] == before
    toy.speak(["u i u i u"], pool / "new", labeled=False)
    after = [clip.id for clip in begin(plan).clips]
    assert [clip_id for clip_id in after if clip_id in before] == before[: len(after)]
    assert [clip.id for clip in begin(replace(plan, seed=99)).clips] != before


def test_there_are_spare_clips_for_those_that_are_unusable(tmp_path: Path) -> None:
    session = begin(build_plan(tmp_path), count=3)
    assert len(session.clips) >= 6
    for _ in range(3):
        decide(session, session.next_clip(), outcome="unusable", reason="nobody speaks")
    assert len(transcribe_all(session)) == 3
    assert session.overview().unusable == 3


def test_every_recording_gives_one_clip_before_any_gives_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_in_three(_: object, recording: Utterance) -> list[Utterance]:
        return [replace(recording, id=f"{recording.id}-{number:04d}") for number in range(3)]

    monkeypatch.setattr(drawing, "_cut", cut_in_three)
    clips = begin(build_plan(tmp_path), count=8).clips
    recordings = [clip.id[:DIGEST_LENGTH] for clip in clips]
    turns = Counter(recordings[:8])
    assert max(turns.values()) - min(turns.values()) <= 1
    # What replaces unusable clips comes last, so that its recordings need not leave the pool.
    assert not set(recordings[-3:]) & turns.keys()
    # 28 recordings hold enough clips in fewer: the others are not touched.
    assert len(clips) >= 16 and len(set(recordings)) < len(MORE) / 2


def test_a_second_set_takes_other_recordings_also_for_training(tmp_path: Path) -> None:
    plan = build_plan(tmp_path, test={"exam": "data/exam"}, human="data/spoken")
    drawn = {
        name: {clip_id[:DIGEST_LENGTH] for clip_id in transcribe_all(begin(plan, set_name=name))}
        for name in ("human", "calls", "exam")
    }
    assert all(len(recordings) == 5 for recordings in drawn.values())
    assert not (drawn["calls"] & drawn["exam"] or drawn["human"] & (drawn["calls"] | drawn["exam"]))


def test_recordings_that_no_round_has_listed_come_first(tmp_path: Path) -> None:
    plan, run = build_plan(tmp_path), tmp_path / "run"
    earlier = build_plan(tmp_path / "known", development={"dev": "data/development"})
    next_round(replace(earlier, pool=plan.pool), run)
    toy.speak(["uu aa", "uu ee", "uu ii"], tmp_path / "data" / "pool" / "new", labeled=False)
    session = begin(plan, run=run, count=3)
    assert {clip.audio_filepath.parent.name for clip in session.clips[:3]} == {"new"}
    assert not find_rounds_that_learned(
        RunFolder.read(run), {clip.id[:DIGEST_LENGTH] for clip in session.clips[:3]}
    )
    assert all(not session.view(clip.id).rounds for clip in session.clips[:3])
    assert any(session.view(clip.id).rounds == (1,) for clip in session.clips[3:])


def test_doubt_chooses_the_lowest_confidence_and_suggests_the_label(tmp_path: Path) -> None:
    plan, run = build_plan(tmp_path, human="data/spoken"), tmp_path / "run"
    labeled = build_plan(tmp_path / "known", development={"dev": "data/development"})
    next_round(replace(labeled, pool=plan.pool), run)
    session = begin(plan, set_name="human", run=run, by="doubt", count=4)
    confidences = [clip.confidence for clip in session.clips]
    assert confidences == sorted(confidences) and len(confidences) == 8
    assert session.suggest(session.clips[0].id) == session.clips[0].pred_text
    assert session.suggester and session.suggester.name == "the champion of round 1"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"by": "doubt", "run": "run"}, "clips chosen by doubt are harder than others"),
        ({"set_name": "human", "by": "doubt"}, "name it with --run"),
        ({"set_name": "test", "suggest": True}, "no suggestions for a test set"),
        ({"second": "bob", "suggest": True}, "a second person gets no suggestions"),
        ({"second": "bob"}, "no clips that somebody other than bob has transcribed"),
        ({"set_name": "cals"}, "did you mean 'calls'"),
        ({"set_name": "exam"}, r"development: \{exam: exam/\}"),
    ],
)
def test_what_makes_a_set_dishonest_or_cannot_be_is_refused(
    tmp_path: Path, options: dict[str, object], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        begin(build_plan(tmp_path), **options)


def test_a_set_inside_the_pool_is_refused(tmp_path: Path) -> None:
    plan = build_plan(tmp_path, development={"calls": "data/pool/calls"})
    with pytest.raises(ConfigError, match="lies in the pool"):
        begin(plan)
