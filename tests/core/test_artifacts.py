"""Stages write artifacts atomically, read them back, and refuse other inputs."""

import errno
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from twister_loop import ConfigError, SpaceError, StaleError
from twister_loop.core.artifacts import (
    PROVENANCE,
    PRUNED,
    RUN_MARKER,
    TIMING,
    JsonRecord,
    cache_key,
    find_run_root,
    not_in_cache_key,
    read_json,
    reuse_result,
    stage,
    used_by,
    write_json,
)
from twister_loop.core.digests import folder_size


@dataclass(frozen=True)
class ShortNote(JsonRecord):
    text: str


@dataclass(frozen=True)
class Options:
    rate: float = used_by("learn", 1.0)
    speed: int = not_in_cache_key(8)
    depth: int = 3


@stage(version=1)
def write(options: Options, *, out: Path) -> ShortNote:
    return ShortNote("written").save(out)


@stage(version=1)
def learn(options: Options, *, out: Path) -> ShortNote:
    return ShortNote("learned").save(out)


@stage(version=1)
def fill_disk(*, out: Path) -> ShortNote:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_raises_space_error_and_leaves_no_visible_folder(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="the disk is full; make room"):
        fill_disk(out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_record_is_stored_under_its_class_name_in_snake_case(tmp_path: Path) -> None:
    ShortNote("a").save(tmp_path)
    assert (tmp_path / "short_note.json").is_file()
    assert ShortNote.load(tmp_path) == ShortNote("a")


def test_an_option_outside_the_cache_key_may_change(tmp_path: Path) -> None:
    write(Options(speed=8), out=tmp_path / "out")
    assert write(Options(speed=64), out=tmp_path / "out").text == "written"


def test_an_option_counts_only_for_the_stage_that_reads_it(tmp_path: Path) -> None:
    write(Options(rate=1.0), out=tmp_path / "written")
    write(Options(rate=2.0), out=tmp_path / "written")
    learn(Options(rate=1.0), out=tmp_path / "learned")
    with pytest.raises(StaleError, match=r"from.options.rate: 1.0 -> 2.0"):
        learn(Options(rate=2.0), out=tmp_path / "learned")
    assert cache_key(Options()) == {"use": "Options", "rate": 1.0, "depth": 3}


def test_a_file_is_keyed_by_its_content(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("same")
    second.write_text("same")
    assert cache_key(first) == cache_key(second)
    second.write_text("different")
    assert cache_key(first) != cache_key(second)


def test_a_result_is_reused_whether_arguments_have_names_or_positions(tmp_path: Path) -> None:
    write(Options(), out=tmp_path / "earlier")
    candidates = [tmp_path / "earlier" / PROVENANCE]
    reuse_result(write, tmp_path / "positional", candidates, Options())
    reuse_result(write, tmp_path / "named", candidates, options=Options(), out=tmp_path / "named")
    for name in ("positional", "named"):
        assert ShortNote.load(tmp_path / name).text == "written"
        assert read_json(tmp_path / name / TIMING) == {"seconds": 0.0}


def test_neither_other_inputs_nor_pruned_results_are_reused(tmp_path: Path) -> None:
    write(Options(), out=tmp_path / "earlier")
    candidates = [tmp_path / "earlier" / PROVENANCE]
    reuse_result(write, tmp_path / "out", candidates, Options(depth=4))
    (tmp_path / "earlier" / PRUNED).touch()
    reuse_result(write, tmp_path / "out", candidates, Options())
    assert not (tmp_path / "out").exists()


def test_the_root_of_a_run_is_found_from_any_folder_in_it(tmp_path: Path) -> None:
    inner = tmp_path / "run" / "round-01"
    inner.mkdir(parents=True)
    assert find_run_root(inner) == inner
    (tmp_path / "run" / RUN_MARKER).write_text("{}")
    assert find_run_root(inner) == tmp_path / "run"


def test_the_size_of_a_folder_counts_links_as_themselves(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("/proc/kcore")
    assert folder_size(tmp_path) < 100


def test_half_a_copy_of_a_killed_process_is_not_resumed_as_work_of_the_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(Options(), out=tmp_path / "earlier")
    candidates = [tmp_path / "earlier" / PROVENANCE]

    def copy_half(source: Path, copy: Path) -> None:
        copy.mkdir()
        (copy / PROVENANCE).write_bytes((source / PROVENANCE).read_bytes())
        (copy / TIMING).touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr("shutil.copytree", copy_half)
        with pytest.raises(KeyboardInterrupt):
            reuse_result(write, tmp_path / "out", candidates, Options())
    assert (tmp_path / ".out~" / TIMING).is_file()
    # The earlier result is gone by now, so the stage runs.
    shutil.rmtree(tmp_path / "earlier")
    assert write(Options(), out=tmp_path / "out").text == "written"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_copy_also_removes_unfinished_work_and_an_earlier_half_copy(tmp_path: Path) -> None:
    write(Options(), out=tmp_path / "earlier")
    for name in (".out", ".out~"):
        (tmp_path / name).mkdir()
        (tmp_path / name / PROVENANCE).touch()
    reuse_result(write, tmp_path / "out", [tmp_path / "earlier" / PROVENANCE], Options())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["earlier", "out"]


@pytest.mark.parametrize("place", [".earlier", ".hidden/earlier", "damaged"])
def test_hidden_and_damaged_results_are_not_reused(tmp_path: Path, place: str) -> None:
    (tmp_path / RUN_MARKER).write_text("{}")
    write(Options(), out=tmp_path / place)
    if place == "damaged":
        (tmp_path / place / PROVENANCE).write_bytes(b"")
    reuse_result(write, tmp_path / "out", [tmp_path / place / PROVENANCE], Options())
    assert not (tmp_path / "out").exists()


def test_what_a_kill_left_of_a_write_is_neither_signed_nor_kept(tmp_path: Path) -> None:
    write(Options(), out=tmp_path / "undisturbed")
    write(Options(), out=tmp_path / "out")
    scratch = (tmp_path / "out").rename(tmp_path / ".out")
    (scratch / f".{TIMING}").touch()
    (scratch / ".half").mkdir()
    (scratch / ".half" / "file").touch()
    write(Options(), out=tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        path.name for path in (tmp_path / "undisturbed").iterdir()
    }
    assert read_json(tmp_path / "out" / PROVENANCE) == read_json(
        tmp_path / "undisturbed" / PROVENANCE
    )


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_unfinished_work_with_a_damaged_record_starts_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".out").mkdir()
    (tmp_path / ".out" / PROVENANCE).write_bytes(content)
    (tmp_path / ".out" / "stray").touch()
    write(Options(), out=tmp_path / "out")
    assert not (tmp_path / "out" / "stray").exists()


def test_a_damaged_json_file_is_named_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"run\.json: not JSON .*; restore the file"):
        read_json(tmp_path / "run.json")


def test_a_link_under_the_name_of_a_scratch_file_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / ".a.json").symlink_to(tmp_path / "precious")
    write_json({"a": 1}, tmp_path / "a.json")
    assert (tmp_path / "precious").read_text() == "kept"
    assert read_json(tmp_path / "a.json") == {"a": 1}
