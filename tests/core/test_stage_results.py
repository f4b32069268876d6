"""Results of stages: what makes them run, what is recorded, what is read back or copied."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from twister_loop.core import artifacts, content_check
from twister_loop.core.artifacts import (
    NOT_IN_CACHE_KEY,
    PROVENANCE,
    PRUNED,
    REDACTED,
    RUN_MARKER,
    TIMING,
    JsonRecord,
    cache_key,
    find_differences,
    find_run_root,
    read_json,
    reuse_result,
    stage,
    used_by,
    write_json,
)
from twister_loop.core.content_check import check_unchanged, read_record
from twister_loop.core.digests import digest_path
from twister_loop.core.errors import EditedError
from twister_loop.errors import ConfigError, StaleError

CALLS: list[str] = []
"""Texts that the stage was called with."""


@dataclass(frozen=True)
class Note(JsonRecord):
    text: str


@stage(version=7)
def note(text: str, count: int = 1, *, cluster: object = None, out: Path) -> Note:
    CALLS.append(text)
    (out / "audio").mkdir(exist_ok=True)
    (out / "audio" / "1.wav").write_bytes(text.encode() * count)
    (out / "stage.log").write_text("a log is no result")
    Note(text).save(out)
    return Note("the file is read back, and not this")


@stage(version=1)
def begin(text: str, *, out: Path) -> Note:
    """Write one file, and be killed if it was not there before."""
    record = json.loads((out / PROVENANCE).read_text())
    assert record["from"] == {"text": text}, "written before the work begins"
    half = out / "half.txt"
    if not half.exists():
        half.write_text(text)
        raise KeyboardInterrupt
    CALLS.append(f"resumed {half.read_text()}")
    return Note(text).save(out)


@pytest.fixture(autouse=True)
def _no_calls_and_nothing_verified() -> Iterator[None]:
    CALLS.clear()
    yield
    content_check._verified.clear()


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def test_a_stage_runs_once_and_is_read_back_from_its_folder(tmp_path: Path) -> None:
    out = tmp_path / "round" / "note"
    assert note("a", out=out) == note("a", out=out) == Note("a")
    assert CALLS == ["a"]
    assert [path.name for path in out.parent.iterdir()] == ["note"], "no scratch folder is left"


def test_the_record_names_the_inputs_and_the_digest_of_every_result(tmp_path: Path) -> None:
    note("ab", 2, cluster="where it ran", out=tmp_path / "note")
    assert read_json(tmp_path / "note" / PROVENANCE) == {
        "stage": "note",
        "version": 7,
        "from": {"text": "ab", "count": 2},
        "content": {
            "audio/1.wav": sha(b"abab"),
            "note.json": sha((tmp_path / "note" / "note.json").read_bytes()),
        },
    }
    # In this order, since the record is hashed itself.
    assert list(read_json(tmp_path / "note" / PROVENANCE)["content"]) == [
        "audio/1.wav",
        "note.json",
    ]
    assert read_json(tmp_path / "note" / TIMING) == {"seconds": 0.0}


def test_other_inputs_are_refused_with_what_changed(tmp_path: Path) -> None:
    note("a", 2, out=tmp_path / "note")
    with pytest.raises(StaleError) as stale:
        note("b", 3, out=tmp_path / "note")
    assert "from.count: 2 -> 3; from.text: 'a' -> 'b'. Undo" in str(stale.value)
    assert str(tmp_path / "note") in str(stale.value) and CALLS == ["a"]
    note("a", 2, cluster="elsewhere", out=tmp_path / "note")  # says where, not what


def test_another_version_of_a_stage_is_another_input(tmp_path: Path) -> None:
    note("a", out=tmp_path / "note")
    record = read_json(tmp_path / "note" / PROVENANCE)
    write_json({**record, "version": 6}, tmp_path / "note" / PROVENANCE)
    with pytest.raises(StaleError, match="version: 6 -> 7"):
        note("a", out=tmp_path / "note")


def test_unfinished_work_is_resumed_only_for_the_same_inputs(tmp_path: Path) -> None:
    for text in ("a", "b"):
        with pytest.raises(KeyboardInterrupt):
            begin(text, out=tmp_path / "out")
        assert not (tmp_path / "out").exists()
        assert (tmp_path / ".out" / "half.txt").read_text() == text
    assert begin("b", out=tmp_path / "out") == Note("b")
    assert CALLS == ["resumed b"]


def test_memory_is_freed_after_long_stages_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    freed: list[bool] = []
    monkeypatch.setattr(artifacts, "_free_memory", lambda: freed.append(True))
    note("a", out=tmp_path / "short")
    assert not freed
    monkeypatch.setattr(artifacts, "MIN_SECONDS_TO_FREE_MEMORY", -1.0)
    note("a", out=tmp_path / "long")
    assert freed == [True]
    monkeypatch.undo()
    artifacts._free_memory()


@dataclass(frozen=True)
class Weights:
    """A part that only names its weights."""

    name: ClassVar[str] = "weights"
    file: str = "a"
    trains: int = used_by("train", 1)
    batch: int = field(default=8, metadata=NOT_IN_CACHE_KEY)
    points_to: ClassVar[Any] = None


@dataclass(frozen=True)
class Pointing(Weights):
    def points_to(self) -> Any:  # type: ignore[override]
        return [self.file * 2]


def test_a_part_is_keyed_by_the_options_that_a_stage_reads() -> None:
    assert cache_key(Weights()) == {"use": "weights", "file": "a", "trains": 1}
    assert cache_key(Weights(), "train") == {"use": "weights", "file": "a", "trains": 1}
    assert cache_key(Weights(), "other") == {"use": "weights", "file": "a"}
    nested = {"parts": [Weights(), (Weights(), 3)]}
    assert cache_key(nested, "other") == {
        "parts": [{"use": "weights", "file": "a"}, [{"use": "weights", "file": "a"}, 3]]
    }
    assert cache_key({"a": Pointing()}, "x")["a"]["points_to"] == ["aa"]
    assert cache_key({1: None, "b": 0.5}) == {"1": None, "b": 0.5}
    assert cache_key(Weights) is Weights, "a class is no part"


@dataclass(frozen=True)
class Stored:
    """Something that lies in a folder."""

    folder: Path | None = None
    location: Path | None = None


def test_what_lies_in_a_folder_is_keyed_by_its_record_or_its_manifest(tmp_path: Path) -> None:
    note("a", out=tmp_path / "made")
    record = digest_path(tmp_path / "made" / PROVENANCE)
    assert cache_key(Stored(folder=tmp_path / "made")) == record
    assert cache_key(Stored(location=tmp_path / "made")) == record
    listed = tmp_path / "listed"
    listed.mkdir()
    (listed / "manifest.jsonl").write_text("{}\n")
    assert cache_key(Stored(folder=listed)) == sha(b"{}\n")
    (tmp_path / "made" / "manifest.jsonl").write_text("{}\n")
    assert cache_key(Stored(folder=tmp_path / "made")) == record, "the record comes first"
    assert cache_key(Stored(folder=tmp_path)) == {
        "use": "Stored",
        "folder": digest_path(tmp_path),
        "location": None,
    }


@pytest.mark.parametrize("damage", ["edited", "missing"])
@pytest.mark.parametrize("name", ["note.json", "audio/1.wav"])
def test_an_artifact_that_was_edited_is_neither_read_nor_reused(
    tmp_path: Path, damage: str, name: str
) -> None:
    folder = tmp_path / "note"
    note("a", out=folder)
    cache_key(Stored(folder=folder))
    file = folder / name
    if damage == "edited":
        file.write_bytes(file.read_bytes() + b" ")
    else:
        file.unlink()
    with pytest.raises(EditedError, match=name):
        cache_key(Stored(folder=folder))
    reuse_result(note, tmp_path / "copy", [folder / PROVENANCE], "a")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("mark", [PRUNED, REDACTED])
def test_files_may_be_missing_where_they_were_deleted_on_purpose(tmp_path: Path, mark: str) -> None:
    folder = tmp_path / "note"
    note("a", out=folder)
    (folder / "audio" / "1.wav").unlink()
    with pytest.raises(EditedError, match="is missing"):
        check_unchanged(folder)
    if mark == PRUNED:
        (folder / PRUNED).touch()
    else:
        write_json({**read_record(folder), REDACTED: []}, folder / PROVENANCE)
    check_unchanged(folder)
    (folder / "note.json").write_text("{}")
    with pytest.raises(EditedError, match="is not what its stage wrote"):
        check_unchanged(folder)


def test_large_files_are_hashed_once_and_again_if_they_were_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []

    def digest(path: Path) -> str:
        hashed.append(path.name)
        return digest_path(path)

    folder = tmp_path / "note"
    note("a", out=folder)
    monkeypatch.setattr(content_check, "digest_path", digest)
    check_unchanged(folder)
    assert hashed == ["note.json"], "this process has just written the large one"
    content_check._verified.clear()
    check_unchanged(folder)
    check_unchanged(folder)
    assert hashed.count("1.wav") == 1 and hashed.count("note.json") == 3
    os.utime(folder / "audio" / "1.wav", (1, 1))
    check_unchanged(folder)
    assert hashed.count("1.wav") == 2
    # A file that grew is another one even if its time was set back.
    (folder / "audio" / "1.wav").write_bytes(b"ab")
    os.utime(folder / "audio" / "1.wav", (1, 1))
    with pytest.raises(EditedError, match=r"1\.wav is not what its stage wrote"):
        check_unchanged(folder)


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{", b"[" * 100_000])
def test_an_artifact_without_a_record_is_refused(tmp_path: Path, content: bytes | None) -> None:
    note("a", out=tmp_path / "note")
    record = tmp_path / "note" / PROVENANCE
    record.unlink() if content is None else record.write_bytes(content)
    with pytest.raises(ConfigError, match=r"made\.json: missing or damaged"):
        note("a", out=tmp_path / "note")


def test_the_first_folder_in_order_that_fits_is_copied(tmp_path: Path) -> None:
    for name in ("c", "a", "b"):
        note("x" if name == "a" else "y", out=tmp_path / name)
        (tmp_path / name / "stage.log").write_text(name)
    candidates = [tmp_path / name / PROVENANCE for name in ("c", "b", "a")]
    reuse_result(note, tmp_path / "copy", candidates, "y")
    assert (tmp_path / "copy" / "stage.log").read_text() == "b"
    assert read_json(tmp_path / "copy" / PROVENANCE) == read_json(tmp_path / "b" / PROVENANCE)
    (tmp_path / "b" / "audio" / "1.wav").write_bytes(b"another")
    assert (tmp_path / "copy" / "audio" / "1.wav").read_bytes() == b"y", "copied, not linked"
    assert note("y", out=tmp_path / "copy") == Note("y") and CALLS.count("y") == 2
    reuse_result(note, tmp_path / "next", candidates, "y")
    assert (tmp_path / "next" / "stage.log").read_text() == "c", "b was edited meanwhile"


def test_nothing_is_copied_over_a_result(tmp_path: Path) -> None:
    note("a", out=tmp_path / "earlier")
    note("a", out=tmp_path / "out")
    (tmp_path / "out" / "stage.log").write_text("its own")
    reuse_result(note, tmp_path / "out", [tmp_path / "earlier" / PROVENANCE], "a")
    assert (tmp_path / "out" / "stage.log").read_text() == "its own"


def test_a_run_may_lie_in_a_hidden_folder(tmp_path: Path) -> None:
    run = tmp_path / ".cache" / "run"
    run.mkdir(parents=True)
    (run / RUN_MARKER).write_text("{}")
    note("a", out=run / "earlier")
    reuse_result(note, run / "out", [run / "earlier" / PROVENANCE], "a")
    assert (run / "out").is_dir()


def test_the_nearest_root_is_that_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "run" / "arms" / "a"
    inner.mkdir(parents=True)
    for folder in (tmp_path / "run", tmp_path / "run" / "arms"):
        (folder / RUN_MARKER).write_text("{}")
    assert find_run_root(inner) == tmp_path / "run" / "arms"
    monkeypatch.chdir(tmp_path / "run")
    assert find_run_root(Path()) == tmp_path / "run"


def test_differences_are_found_at_any_depth_and_results_do_not_count() -> None:
    old = {"a": {"b": 1, "c": [1]}, "content": {"x": 1}, "gone": 0, "same": {"d": 1}}
    new = {"a": {"b": 2, "c": [2]}, "content": {"x": 2}, "same": {"d": 1}, REDACTED: [1]}
    assert list(find_differences(old, new)) == [
        ("a.b", 1, 2),
        ("a.c", [1], [2]),
        ("gone", 0, None),
    ]
    assert list(find_differences({"a": {"b": 1}}, {"a": 1})) == [("a", {"b": 1}, 1)]
    assert list(find_differences(1, 2, "here")) == [("here", 1, 2)]


def test_json_is_written_for_people_and_read_back(tmp_path: Path) -> None:
    name = b"caff\xe8 \xff".decode("utf-8", "surrogateescape")
    write_json({"name": name, "text": "è"}, tmp_path / "a.json")
    text = (tmp_path / "a.json").read_text("utf-8")
    assert text.startswith('{\n  "name"') and text.endswith("}\n") and '"text": "è"' in text
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    (tmp_path / "b.json").write_bytes(b"[" * 100_000)
    with pytest.raises(ConfigError, match=r"b\.json: not JSON"):
        read_json(tmp_path / "b.json")


@dataclass(frozen=True)
class LongerNameOfIt(JsonRecord):
    text: str


def test_a_record_makes_its_folder_and_names_a_file_that_it_cannot_read(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    record = LongerNameOfIt("è")
    assert record.save(folder) is record and record.save(folder) is record
    assert [path.name for path in folder.iterdir()] == ["longer_name_of_it.json"]
    assert LongerNameOfIt.load(folder) == record
    for content in (b"", b"{}", b'{"text": 3}'):
        (folder / "longer_name_of_it.json").write_bytes(content)
        with pytest.raises(ConfigError, match=r"longer_name_of_it\.json: cannot be read"):
            LongerNameOfIt.load(folder)
    with pytest.raises(ConfigError, match="cannot be read"):
        LongerNameOfIt.load(tmp_path)
