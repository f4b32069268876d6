"""How an artifact comes to be."""

import errno
from dataclasses import dataclass
from pathlib import Path

import pytest

from twister_loop import SpaceError
from twister_loop.core.artifacts import JsonRecord, cache_key, not_in_cache_key, stage, used_by


@dataclass(frozen=True)
class Note(JsonRecord):
    text: str


@dataclass(frozen=True)
class Options:
    rate: float = used_by("learn", 1.0)
    speed: int = not_in_cache_key(8)
    depth: int = 3


@stage(version=1)
def write(options: Options, *, out: Path) -> Note:
    return Note("written").save(out)


@stage(version=1)
def learn(options: Options, *, out: Path) -> Note:
    return Note("learned").save(out)


@stage(version=1)
def full(*, out: Path) -> Note:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_a_sentence_and_nothing_half_written_is_visible(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="the disk is full; make room"):
        full(out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_option_that_does_not_change_results_is_not_signed(tmp_path: Path) -> None:
    write(Options(speed=8), out=tmp_path / "out")
    assert write(Options(speed=64), out=tmp_path / "out").text == "written"


def test_an_option_counts_only_for_the_stage_that_looks_at_it(tmp_path: Path) -> None:
    from twister_loop import StaleError

    write(Options(rate=1.0), out=tmp_path / "written")
    write(Options(rate=2.0), out=tmp_path / "written")
    learn(Options(rate=1.0), out=tmp_path / "learned")
    with pytest.raises(StaleError, match=r"from.options.rate: 1.0 -> 2.0"):
        learn(Options(rate=2.0), out=tmp_path / "learned")
    assert cache_key(Options()) == {"use": "Options", "rate": 1.0, "depth": 3}


def test_a_file_is_signed_by_its_content(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("same")
    two.write_text("same")
    assert cache_key(one) == cache_key(two)
    two.write_text("other")
    assert cache_key(one) != cache_key(two)
