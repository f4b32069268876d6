"""Copies of long lossy files: exact, made once, bounded, and never in the way of reading."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from tests.kinds import speak
from tests.kinds._write import encode
from twister_loop.audio import decoded_files
from twister_loop.audio import io as audio
from twister_loop.errors import AudioError, SpaceError

RATE = audio.SAMPLE_RATE


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "long.mp3"
    return encode(path, speak(7.0), "libmp3lame", "mp3", 22_050, "stereo")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of copies, which are made of files of more than two seconds."""
    monkeypatch.setenv("TWISTER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(decoded_files, "FROM_START", 2.0)
    decoded_files._warn_once.cache_clear()
    return tmp_path / "cache" / "decoded"


@pytest.fixture
def recording(template: Path, tmp_path: Path) -> Path:
    path = tmp_path / "long.mp3"
    path.write_bytes(template.read_bytes())
    return path


def copies(cache: Path) -> list[Path]:
    return sorted(cache.glob("*.flac"))


def test_segments_are_read_from_one_copy_and_are_slices_of_the_whole(
    recording: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = audio.read(recording)
    right = audio.read(recording, channel=1)
    audio.read(recording, offset=0.5, duration=1.0)
    assert not copies(cache)  # none of these needs it
    decodings = []
    decode = decoded_files.decoding.decode
    monkeypatch.setattr(
        decoded_files.decoding,
        "decode",
        lambda *arguments: decodings.append(arguments) or decode(*arguments),
    )
    for offset, duration in ((3.3, 1.0), (0.25, 0.5), (5.001, None), (6.5, 9.0), (0.0, None)):
        start = round(offset * RATE)
        expected = whole[start:] if duration is None else whole[start:][: round(duration * RATE)]
        segment = audio.read(recording, offset, duration)
        np.testing.assert_allclose(segment, expected, atol=2e-6)
    np.testing.assert_allclose(audio.read(recording, 3.0, 1.0, 1), right[48_000:64_000], atol=2e-6)
    assert len(decodings) == len(copies(cache)) == 1
    with pytest.raises(AudioError, match="no audio from 9 s on"):
        audio.read(recording, offset=9.0)


def test_a_copy_holds_samples_beyond_full_scale(tmp_path: Path) -> None:
    path = encode(tmp_path / "loud.mka", speak(3.0) * 6, "pcm_f32le", "matroska")
    whole = audio.read(path)
    assert np.abs(whole).max() > 1.5
    np.testing.assert_allclose(audio.read(path, offset=2.5), whole[40_000:], atol=2e-6)


def test_a_changed_file_is_decoded_again_and_its_old_copy_is_gone(
    recording: Path, cache: Path
) -> None:
    audio.read(recording, offset=4.0)
    [old] = copies(cache)
    encode(recording, -speak(6.0), "libmp3lame", "mp3")
    whole = audio.read(recording)
    np.testing.assert_allclose(audio.read(recording, 4.0), whole[4 * RATE :], atol=2e-6)
    [new] = copies(cache)
    assert new != old


def test_forgetting_a_file_deletes_its_copies_and_no_others(
    recording: Path, tmp_path: Path, cache: Path
) -> None:
    other = tmp_path / "other.mp3"
    other.write_bytes(recording.read_bytes())
    for path in (recording, other):
        audio.read(path, offset=4.0)
    assert len(copies(cache)) == 2
    recording.unlink()
    audio.forget_decoded(recording)
    [left] = copies(cache)
    audio.read(other, offset=4.0)
    assert copies(cache) == [left]


def test_the_least_recently_used_copies_make_room(
    recording: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / f"{letter}.mp3" for letter in "abc"]
    for path in files:
        path.write_bytes(recording.read_bytes())
    by_file = {}
    for path in files[:2]:
        before = set(copies(cache))
        audio.read(path, offset=4.0)
        [by_file[path]] = set(copies(cache)) - before
    for age, path in enumerate(files[:2]):
        os.utime(by_file[path], (10**9 + age,) * 2)
    audio.read(files[0], offset=4.0)  # used last, although it was made first
    sizes = sum(copy.stat().st_size for copy in copies(cache))
    needed = 7.0 * RATE * 2 * 3
    free = 2 * (needed + 1.5 * sizes / 2) - sizes  # room for one copy beside the new one
    monkeypatch.setattr(decoded_files.shutil, "disk_usage", lambda folder: _Usage(free))
    audio.read(files[2], offset=4.0)
    assert by_file[files[0]].exists() and not by_file[files[1]].exists()
    assert len(copies(cache)) == 2


class _Usage:
    def __init__(self, free: float) -> None:
        self.free = free


def test_a_full_disk_is_a_plain_error_and_leaves_nothing(
    recording: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(decoded_files.libsndfile, "open_for_writing", fail)
    with pytest.raises(SpaceError, match=r"the disk is full .* TWISTER_CACHE"):
        audio.read(recording, offset=4.0)
    assert not list(cache.rglob("*.flac"))


def test_without_a_cache_segments_are_decoded_from_the_start_with_one_warning(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    (tmp_path / "file").touch()
    monkeypatch.setenv("TWISTER_CACHE", str(tmp_path / "file"))
    whole = audio.read(recording)
    for offset in (3.0, 4.0):
        start = round(offset * RATE)
        np.testing.assert_array_equal(audio.read(recording, offset, 1.0), whole[start:][:RATE])
    assert caplog.text.count("cannot be written") == 1


def test_what_a_killed_process_left_and_damaged_copies_are_replaced(
    recording: Path, cache: Path
) -> None:
    whole = audio.read(recording)
    audio.read(recording, offset=4.0)
    [copy] = copies(cache)
    copy.write_bytes(b"fLaC is not what this is")
    (copy.parent / f".{copy.name}").write_bytes(b"half a copy")
    np.testing.assert_allclose(audio.read(recording, offset=4.0), whole[4 * RATE :], atol=2e-6)
    assert [path.name for path in cache.iterdir() if path.suffix == ".flac"] == [copy.name]


def _read_segment(path: Path) -> float:
    return float(audio.read(path, offset=4.0, duration=1.0).sum())


def test_threads_and_processes_share_a_copy(recording: Path, cache: Path) -> None:
    with get_context("fork").Pool(3) as processes:
        sums = set(processes.map(_read_segment, [recording] * 3, chunksize=1))
    audio.forget_decoded(recording)
    with ThreadPoolExecutor(4) as threads:
        sums |= set(threads.map(_read_segment, [recording] * 8))
    assert len(sums) == len(copies(cache)) == 1
