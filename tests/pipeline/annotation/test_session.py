"""Decisions are kept, resumed, withdrawn and never overwritten; the set is valid at any time."""

import csv
from pathlib import Path

import pytest

from tests.annotating import begin, build_plan, decide, transcribe_all
from twister_loop.audio import io as audio
from twister_loop.core.errors import AudioError, ConfigError
from twister_loop.data.corpora.audiofolder import AudioFolder
from twister_loop.pipeline.annotation.decisions import RECORD, StaleDecision, read_decisions
from twister_loop.pipeline.annotation.views import Submission


def rows(folder: Path) -> dict[str, str]:
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as table:
        return {row["file_name"]: row["text"] for row in csv.DictReader(table)}


def is_valid(folder: Path) -> bool:
    """Return whether every recording of the set has a transcript, and every row a recording."""
    lines = list(AudioFolder(folder).utterances())
    return all(line.text and not line.rejected_by and not line.error for line in lines)


def test_the_set_is_valid_after_every_decision_and_holds_the_audio_of_its_clips(
    tmp_path: Path,
) -> None:
    session = begin(build_plan(tmp_path))
    folder = tmp_path / "data" / "calls"
    for count, text in enumerate(("one, two", 'with ; and "quotes"', "ثلاثة مُحَمَّد", "四"), 1):
        view = session.next_clip()
        decide(session, view, text)
        assert len(rows(folder)) == count and is_valid(folder)
        assert rows(folder)[f"{view.id}.wav"] == text
        clip = next(clip for clip in session.clips if clip.id == view.id)
        same = audio.read(folder / f"{view.id}.wav") == audio.load_utterance(clip)
        assert same.all()


def test_work_goes_on_after_a_kill_at_any_place(tmp_path: Path) -> None:
    plan = build_plan(tmp_path)
    session, folder = begin(plan), tmp_path / "data" / "calls"
    for _ in range(3):
        decide(session, session.next_clip(), "a e")
    record = (folder / RECORD).read_bytes()
    # In the middle of a line, and after a line but before the table and the clip.
    (folder / RECORD).write_bytes(record + b'{"id": "cut o')
    clip = sorted(folder.glob("*.wav"))[0]
    clip.rename(clip.with_name(f".{clip.name}"))
    (folder / "metadata.csv").write_text("file_name,text\n")
    again = begin(plan)
    assert again.overview().done == 3 and clip.is_file() and is_valid(folder)
    assert len(transcribe_all(again)) == 2
    assert len(read_decisions(folder / RECORD)) == 5


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    plan = build_plan(tmp_path)
    transcribe_all(begin(plan))
    with (tmp_path / "data" / "calls" / RECORD).open("a") as record:
        record.write("no json\n")
    with pytest.raises(ConfigError, match=r"annotations.jsonl:6: cannot be read"):
        begin(plan)


def test_undo_and_back_change_what_was_decided(tmp_path: Path) -> None:
    session = begin(build_plan(tmp_path), count=3)
    folder = tmp_path / "data" / "calls"
    first, second, _ = transcribe_all(session)
    assert session.next_clip() is None
    back = session.previous_clip(session.previous_clip(None).id)
    assert back.id == second and back.text == "a e"
    decide(session, back, "a i")
    assert rows(folder)[f"{second}.wav"] == "a i"
    undone = session.undo()
    assert undone.id == second and not undone.text and f"{second}.wav" not in rows(folder)
    assert not (folder / f"{second}.wav").exists() and is_valid(folder)
    assert session.next_clip().id == second
    session.undo()
    assert session.undo().id == first and session.undo() is None
    assert transcribe_all(session) and session.overview().done == 3


def test_later_comes_last_and_is_not_replaced_by_something_easier(tmp_path: Path) -> None:
    session = begin(build_plan(tmp_path), count=3)
    hard = session.next_clip()
    wanted = {clip.id for clip in session.open_clips()}
    decide(session, hard, outcome="later")
    assert session.overview().later == 1
    done = transcribe_all(session)
    assert done[-1] == hard.id and set(done) == wanted


def test_a_stale_tab_overwrites_nothing(tmp_path: Path) -> None:
    plan = build_plan(tmp_path)
    ada, bob = begin(plan, annotator="ada"), begin(plan, annotator="bob")
    view = ada.view(ada.clips[0].id)
    decide(ada, view, "a rose")
    for tab in (ada, bob):
        with pytest.raises(StaleDecision, match=r"decided meanwhile by ada \(accepted: a rose\)"):
            decide(tab, view, "something else")
    assert list(rows(tmp_path / "data" / "calls").values()) == ["a rose"]
    decide(bob, bob.view(view.id), "a rose is")
    assert list(rows(tmp_path / "data" / "calls").values()) == ["a rose is"]


def test_two_people_at_once_begin_at_different_clips_of_the_same_draw(tmp_path: Path) -> None:
    plan = build_plan(tmp_path)
    batches = [
        [clip.id for clip in begin(plan, annotator=name).open_clips()] for name in ("ada", "bob")
    ]
    assert set(batches[0]) == set(batches[1]) and batches[0] != batches[1]


def test_texts_that_nothing_could_be_compared_with_are_refused(tmp_path: Path) -> None:
    session = begin(build_plan(tmp_path))
    for text in ("", "  ", "...", "\x00"):
        with pytest.raises(ConfigError, match="mark the clip as unusable"):
            decide(session, session.next_clip(), text)
    with pytest.raises(ConfigError, match="there is no clip"):
        session.decide(Submission(id="../../etc/passwd", revision=0, outcome="accepted", text="a"))
    assert not read_decisions(tmp_path / "data" / "calls" / RECORD)


def test_a_recording_that_changed_since_it_was_listed_is_not_annotated(tmp_path: Path) -> None:
    session = begin(build_plan(tmp_path))
    view = session.next_clip()
    clip = next(clip for clip in session.clips if clip.id == view.id)
    audio.write(audio.read(clip.audio_filepath) / 2, clip.audio_filepath)
    with pytest.raises(AudioError, match="changed since it was listed"):
        decide(session, view, "a e")
    assert not read_decisions(tmp_path / "data" / "calls" / RECORD)


def test_a_command_that_was_ended_at_once_has_the_same_folder_again(tmp_path: Path) -> None:
    plan = build_plan(tmp_path)
    assert begin(plan).target == begin(plan).target


def test_files_of_others_stay_as_they_are(tmp_path: Path) -> None:
    plan = build_plan(tmp_path, development={"calls": "data/development"})
    folder = tmp_path / "data" / "development"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    transcribe_all(begin(plan))
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    assert len(rows(folder / "annotated")) == 5
    assert is_valid(folder) and len(list(AudioFolder(folder).utterances())) == 7


def test_two_people_agree_or_settle(tmp_path: Path) -> None:
    plan = build_plan(tmp_path)
    transcribe_all(begin(plan, annotator="ada"), "a e i o")
    bob = begin(plan, second="bob", count=3)
    for text in ("A, e i o!", "a e i u"):
        assert not bob.next_clip().text, "bob must not see what ada wrote"
        decide(bob, bob.next_clip(), text)
    decide(bob, bob.next_clip(), outcome="unusable", reason="cannot be understood")
    assert bob.next_clip() is None and bob.overview().done == 3
    agreement = bob.agreement()
    assert agreement.clips == 3 and str(agreement.words) == "12.50%"
    ids = {line.second: line.id for line in agreement.disagreements}
    assert ids.keys() == {"a e i u", "(cannot be understood)"}
    differing = ids["a e i u"]
    view = bob.settling_view(differing)
    decide(bob, view, "a e i u", outcome="settled")
    assert rows(tmp_path / "data" / "calls")[f"{differing}.wav"] == "a e i u"
    assert begin(plan, annotator="ada").overview().disagreements == 1
    assert bob.agreement().words == agreement.words, "agreement is of what each wrote alone"
