"""Stages write artifacts atomically, read them back, and refuse other inputs."""

import errno
from dataclasses import dataclass
from pathlib import Path

import pytest

from twister_loop import SpaceError, StaleError
from twister_loop.core.artifacts import (
    PROVENANCE,
    PRUNED,
    RUN_MARKER,
    TIMING,
    JsonRecord,
    cache_key,
    find_run_root,
    folder_size,
    not_in_cache_key,
    read_json,
    reuse_result,
    stage,
    used_by,
)


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
