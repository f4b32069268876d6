"""Stages write artifacts atomically, read them back, and refuse other inputs."""

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from twister_loop.core import content_check
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
from twister_loop.core.content_check import check_unchanged
from twister_loop.core.digests import folder_size
from twister_loop.core.errors import EditedError, describe_os_error
from twister_loop.core.file_hashes import FileHashCache
from twister_loop.errors import ConfigError, SpaceError, StaleError


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


@dataclass(frozen=True)
class Heavy(JsonRecord):
    """Artifact of a small and a large file."""

    folder: Path = not_in_cache_key(Path())

    @classmethod
    def load(cls, folder: Path) -> "Heavy":
        return cls(folder)


@stage(version=1)
def make_heavy(*, out: Path) -> Heavy:
    (out / "audio").mkdir()
    (out / "manifest.jsonl").write_text('{"id": "a"}\n')
    (out / "audio" / "a.wav").write_bytes(b"sound")
    return Heavy(out)


@stage(version=1)
def read_heavy(heavy: Heavy, *, out: Path) -> ShortNote:
    return ShortNote("read").save(out)


@pytest.fixture
def heavy(tmp_path: Path) -> Heavy:
    return make_heavy(out=tmp_path / "heavy")


@pytest.fixture
def as_if_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what this process has verified, as another process would not know it."""
    monkeypatch.setattr(content_check, "_verified", {})


@pytest.mark.parametrize("name", ["manifest.jsonl", "audio/a.wav"])
def test_an_edited_file_is_found_by_the_stage_that_reads_it(
    heavy: Heavy, name: str, tmp_path: Path
) -> None:
    read_heavy(heavy, out=tmp_path / "before")
    path = heavy.folder / name
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(EditedError, match=rf"{name} is not what its stage wrote .*; restore it"):
        read_heavy(heavy, out=tmp_path / "after")
    assert not (tmp_path / "after").exists()
    path.write_bytes(path.read_bytes()[:-1])
    assert read_heavy(heavy, out=tmp_path / "after").text == "read"


def set_times(path: Path, before: os.stat_result) -> None:
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_small_file_is_hashed_whatever_its_size_and_time(heavy: Heavy, tmp_path: Path) -> None:
    read_heavy(heavy, out=tmp_path / "before")
    path = heavy.folder / "manifest.jsonl"
    before = path.stat()
    path.write_text('{"id": "b"}\n')
    set_times(path, before)
    with pytest.raises(EditedError, match=r"manifest\.jsonl"):
        read_heavy(heavy, out=tmp_path / "after")


def test_a_large_file_of_the_same_size_and_time_is_found_when_the_run_is_resumed(
    heavy: Heavy, tmp_path: Path, as_if_resumed: None
) -> None:
    path = heavy.folder / "audio" / "a.wav"
    before = path.stat()
    path.write_bytes(b"noise")
    set_times(path, before)
    with pytest.raises(EditedError, match=r"a\.wav"):
        read_heavy(heavy, out=tmp_path / "after")


def test_a_large_file_is_read_once_in_a_process(
    heavy: Heavy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_if_resumed: None
) -> None:
    hashed: list[str] = []
    digest = content_check.digest_path
    monkeypatch.setattr(
        content_check, "digest_path", lambda path: (hashed.append(path.name), digest(path))[1]
    )
    for _ in range(3):
        check_unchanged(heavy.folder)
    assert hashed.count("a.wav") == 1 and hashed.count("manifest.jsonl") == 3


def test_a_file_that_was_copied_with_another_time_is_unchanged(heavy: Heavy) -> None:
    os.utime(heavy.folder / "audio" / "a.wav", ns=(1, 1))
    check_unchanged(heavy.folder)


def test_a_missing_file_is_named_unless_it_was_pruned(heavy: Heavy) -> None:
    (heavy.folder / "audio" / "a.wav").unlink()
    with pytest.raises(EditedError, match=r"a\.wav is missing, although its stage wrote it"):
        check_unchanged(heavy.folder)
    (heavy.folder / PRUNED).touch()
    check_unchanged(heavy.folder)
    # What is left of a pruned artifact is checked.
    (heavy.folder / "manifest.jsonl").write_text("")
    with pytest.raises(EditedError, match=r"manifest\.jsonl"):
        check_unchanged(heavy.folder)


@pytest.mark.parametrize("record", [None, b"", b"[]", b"{"])
def test_an_artifact_without_its_record_is_told(
    heavy: Heavy, tmp_path: Path, record: bytes | None
) -> None:
    if record is None:
        (heavy.folder / PROVENANCE).unlink()
    else:
        (heavy.folder / PROVENANCE).write_bytes(record)
    with pytest.raises(ConfigError, match=r"made\.json: missing or damaged"):
        make_heavy(out=heavy.folder)


def test_an_edited_result_is_not_reused(
    heavy: Heavy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (heavy.folder / "manifest.jsonl").write_text("")
    reuse_result(make_heavy, tmp_path / "copy", [heavy.folder / PROVENANCE])
    assert not (tmp_path / "copy").exists() and "it is not reused" in caplog.text


def test_audio_is_part_of_the_record(heavy: Heavy) -> None:
    assert set(read_json(heavy.folder / PROVENANCE)["content"]) == {
        "audio/a.wav",
        "manifest.jsonl",
    }


@pytest.mark.parametrize("text", ["[]", "3", '{"a": 1}', '{"a": [1, 2, 3, 4]}', "{"])
def test_a_damaged_cache_of_digests_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "hashes.json").write_text(text)
    with pytest.raises(ConfigError, match=r"hashes\.json: "):
        FileHashCache(tmp_path)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (errno.EROFS, "runs/a/lock: read-only file system; let this user write there"),
        (errno.ENOSPC, "runs/a/lock: no space left on device; make room and run the same"),
        (errno.ENOENT, "runs/a/lock: no such file or directory; restore it if it was deleted"),
    ],
)
def test_failures_of_the_operating_system_are_sentences(code: int, sentence: str) -> None:
    error = OSError(code, os.strerror(code), "runs/a/lock")
    assert describe_os_error(error).startswith(sentence)
