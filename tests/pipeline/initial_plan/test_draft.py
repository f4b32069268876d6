"""Roles of what a folder holds, and the plan that comes of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from twister_loop.core.errors import ConfigError
from twister_loop.pipeline.initial_plan.draft import Draft, Wishes
from twister_loop.pipeline.initial_plan.first_plan import check_places, write_first_plan
from twister_loop.pipeline.initial_plan.plan_text import quote, write_plan_text
from twister_loop.pipeline.initial_plan.speech import Speech
from twister_loop.pipeline.plan import Plan
from twister_loop.pipeline.plan_reader import load

from .folders import draft, make_hearing, names, record, sentence, transcribe, write_table


def write(folder: Path, first: Draft, wishes: Wishes | None = None) -> Plan:
    """Write the plan beside the folder, and return it as it is read."""
    path = folder.parent / "plan.yaml"
    # A name on the hub, which nothing here looks for.
    text = write_plan_text(first, wishes or Wishes(), "openai/whisper-base", [], path, "runs/mine")
    write_first_plan(path, text, first)
    return load(path, {"asr": "toy", "trainings": 1, "interpolate": 1, "normalizer": "basic"})


def list_names(speech: Speech) -> set[str]:
    return {line.path.name for line in speech.lines}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pool, and nothing else yet."""
    record(tmp_path / "in" / "calls", names(10))
    return tmp_path / "in"


def test_folders_with_telling_names_are_named_as_they_are(folder: Path) -> None:
    for name, count in (("dev", 20), ("test", 21), ("train", 3)):
        record(folder / name, names(count))
        transcribe(folder / name, names(count))
    first = draft(folder)
    assert first.development["dev"].place == folder / "dev"
    assert first.test["test"].place == folder / "test"
    assert [speech.place for speech in first.human] == [folder / "train"]
    assert [speech.place for speech in first.pool] == [folder / "calls"]
    assert not first.written_lists and first.smallest_set == 20
    plan = write(folder, first)
    assert set(plan.sets) == {"dev", "test"} and plan.minimum_utterances == 20


def test_the_working_directory_is_read_like_any_other_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("dev", "test"):
        record(folder / name, names(20))
        transcribe(folder / name, names(20))
    monkeypatch.chdir(folder)
    assert [speech.place for speech in draft(Path()).pool] == [Path("calls")]


def test_a_small_set_lowers_the_minimum_with_the_reason(folder: Path) -> None:
    record(folder / "dev", names(15))
    transcribe(folder / "dev", names(15))
    first = draft(folder)
    assert any("15 utterances are few" in remark for remark in first.remarks)
    plan = write(folder, first)
    assert plan.minimum_utterances == 15 and "expect `undecided`" in plan.path.read_text()


def test_without_transcripts_the_plan_names_a_set_that_is_to_be_annotated(folder: Path) -> None:
    first = draft(folder)
    assert not first.development
    plan = write(folder, first)
    assert plan.sets["dev"][1].folder.name == "development"  # type: ignore[attr-defined]
    assert "twister annotate" in plan.path.read_text()


def test_one_table_is_divided_by_speaker_and_the_pool_becomes_a_list(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    record(folder, names(100))
    rows = [(f"{n:03d}.wav", sentence(n), f"speaker {n % 10}") for n in range(60)]
    write_table(folder / "metadata.csv", rows, "file_name,text,speaker")
    first = draft(folder)
    development, test = first.development["dev"], first.test["test"]
    assert development.utterances + test.utterances == 60
    assert min(development.utterances, test.utterances) >= 20
    speakers = [{line.speaker for line in chosen.lines} for chosen in (development, test)]
    assert speakers[0] and speakers[1] and not speakers[0] & speakers[1]
    [pool] = first.pool
    assert list_names(pool) == set(names(100)[60:]) and pool.use == "manifest"
    plan = write(folder, first)
    rows_of_dev = list(plan.sets["dev"][1].utterances())
    assert len(rows_of_dev) == development.utterances and all(row.text for row in rows_of_dev)
    assert [row for row in rows_of_dev if row.rejected_by] == []
    assert len(list(plan.pool[0].utterances())) == 40


def test_division_is_the_same_every_time_and_keeps_recordings_whole(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    record(folder / "audio", names(25), seconds=1.0)
    record(folder / "pool", names(3, "p"))
    lines = [
        {"audio_filepath": f"audio/{n:03d}.wav", "offset": offset, "duration": 0.4, "text": "words"}
        for n in range(25)
        for offset in (0.0, 0.5)
    ]
    (folder / "all.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    first, again = draft(folder), draft(folder)
    assert first == again
    development, test = first.development["dev"], first.test["test"]
    assert development.utterances + test.utterances == 50
    assert not list_names(development) & list_names(test)
    plan = write(folder, first)
    assert {row.duration for row in plan.sets["dev"][1].utterances()} == {0.4}


def test_a_large_table_leaves_most_for_training(folder: Path) -> None:
    record(folder / "read", names(700), seconds=0.02)
    transcribe(folder / "read", names(700))
    first = draft(folder)
    assert first.development["dev"].utterances == first.test["test"].utterances == 300
    assert sum(speech.utterances for speech in first.human) == 100


def test_tables_named_after_splits_claim_their_recordings_before_the_list_of_all(
    folder: Path,
) -> None:
    record(folder / "clips", names(70))
    rows = [(name, sentence(number)) for number, name in enumerate(names(70))]
    for name, part in (("dev", rows[:20]), ("test", rows[20:45]), ("validated", rows)):
        write_table(folder / f"{name}.tsv", part, "path\tsentence")
    first = draft(folder)
    assert list_names(first.development["dev"]) == set(names(20))
    assert list_names(first.test["test"]) == set(names(45)[20:])
    [human] = first.human
    assert list_names(human) == set(names(70)[45:])


def test_a_column_of_splits_decides(folder: Path) -> None:
    record(folder / "read", names(60))
    rows = [(name, sentence(n), "valid" if n < 25 else "train") for n, name in enumerate(names(60))]
    write_table(folder / "read" / "metadata.csv", rows, "file_name,text,split")
    first = draft(folder)
    [development] = first.development.values()
    assert list_names(development) == set(names(25))
    assert sum(speech.utterances for speech in first.human) == 35


def test_another_language_is_kept_and_not_trained_on(folder: Path) -> None:
    for name, count in (("dev", 20), ("english", 20)):
        record(folder / name, names(count))
        transcribe(folder / name, names(count))
    record(folder / "french", names(4))
    # Numbers, which are in any language.
    rows = [(name, f"{n} {n} {n} {n}") for n, name in enumerate(names(20))]
    write_table(folder / "dev" / "metadata.csv", rows, "file_name,text")
    unheard = draft(folder)
    assert unheard.language is None and unheard.retention.keys() == {"en"}
    first = draft(folder, make_hearing(*["it"] * 7))
    assert first.language == "it" and "7 of 7 clips" in first.language_reason
    assert first.retention["en"].language == "en"
    assert [speech.place for speech in first.pool] == [folder / "calls"]
    assert any("4 recordings in folders of another language (fr)" in r for r in first.remarks)
    plan = write(folder, first)
    assert plan.sets["en"][0] == "retention" and plan.language == "it"


def test_copies_of_held_out_recordings_are_not_in_the_pool(folder: Path) -> None:
    record(folder / "dev", names(20, "d"))
    transcribe(folder / "dev", names(20, "d"))
    shutil.copy(folder / "dev" / "d000.wav", folder / "calls" / "copy.wav")
    first = draft(folder)
    [pool] = first.pool
    assert list_names(pool) == set(names(10))
    assert any("copies of held-out recordings: 1" in remark for remark in first.remarks)


def test_unlabeled_recordings_in_a_folder_called_test_stay_out_of_the_pool(folder: Path) -> None:
    record(folder / "test", names(5))
    first = draft(folder)
    assert sum(speech.utterances for speech in first.pool) == 10
    assert any(remark.startswith("test/: 5 recordings without") for remark in first.remarks)


def test_where_everything_is_transcribed_most_is_pool_and_human_speech(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    record(folder, names(100), seconds=0.05)
    transcribe(folder, names(100))
    first = draft(folder)
    held_out = list_names(first.development["dev"]) | list_names(first.test["test"])
    assert len(held_out) == 50
    assert list_names(first.pool[0]) == list_names(first.human[0]) == set(names(100)) - held_out


def test_a_folder_of_held_out_sets_alone_is_refused(tmp_path: Path) -> None:
    record(tmp_path / "in" / "dev", names(20))
    transcribe(tmp_path / "in" / "dev", names(20))
    with pytest.raises(ConfigError, match="none is left for the pool"):
        draft(tmp_path / "in")


@pytest.mark.parametrize(
    ("options", "languages", "preset"),
    [
        ({"rate": 8000}, ("it",) * 4, "telephone"),
        ({"seconds": 130.0, "rate": 8000}, ("it",) * 4, "conversation"),
        ({}, ("it", "it", "en"), "code-switch"),
        ({}, ("it",) * 9, "plain"),
    ],
)
def test_the_recipe_follows_from_rates_lengths_and_languages(
    tmp_path: Path, options: dict[str, float], languages: tuple[str, ...], preset: str
) -> None:
    folder = tmp_path / "in"
    record(folder, names(3), **options)  # type: ignore[arg-type]
    first = draft(folder, make_hearing(*languages))
    assert first.preset == preset
    assert write(folder, first).pool


def test_two_channels_and_a_narrow_band_are_those_of_calls(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    record(folder, names(3), channels=2)
    first = draft(folder, make_hearing("it", "it", bandwidth=3400.0))
    assert first.preset == "telephone" and "3.4 kHz" in first.preset_reason
    assert write(folder, first).scan.channels == "split"


def test_transcripts_are_believed_where_whisper_hears_a_neighbor(folder: Path) -> None:
    record(folder / "dev", names(20))
    transcribe(folder / "dev", names(20), lang="gl")
    rows = [(name, sentence(n), "gl") for n, name in enumerate(names(20))]
    write_table(folder / "dev" / "metadata.csv", rows, "file_name,text,lang")
    first = draft(folder, make_hearing("es", "es", "pt"))
    assert first.language == "gl" and "although es" in first.language_reason
    tied = draft(folder, make_hearing("gl", "es"))
    assert tied.language == "gl" and "of 2 clips: gl in 1, es in 1" in tied.language_reason


def test_terms_and_odd_names_are_written_so_that_they_are_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "in: #1 'no'"
    record(folder / "dev", names(20))
    transcribe(folder / "dev", names(20))
    record(folder / "c:alls", names(2))
    wishes = Wishes(key_terms=("conto corrente", "yes: no"))
    plan = write(folder, draft(folder, wishes=wishes), wishes)
    assert plan.terms == ("conto corrente", "yes: no")
    assert len(list(plan.pool[0].utterances())) == 2
    assert quote("null") == '"null"' and quote("-a") == '"-a"'


def test_nothing_is_overwritten(folder: Path) -> None:
    first = draft(folder)
    write(folder, first)
    with pytest.raises(ConfigError, match="not overwritten"):
        check_places(folder.parent / "plan.yaml", folder.parent / "plan-lists")
    with pytest.raises(FileExistsError):
        write_first_plan(folder.parent / "plan.yaml", "", first)


def test_an_odd_number_of_transcripts_leaves_none_over(folder: Path) -> None:
    record(folder / "read", names(49))
    transcribe(folder / "read", names(49))
    first = draft(folder)
    assert (first.development["dev"].utterances, first.test["test"].utterances) == (24, 25)
    assert not first.human
