"""Copies of long lossy files in the user's cache, at 16 kHz, in which segments are found by a seek.

A segment of a lossy file is exact only if the file is decoded from its start. For the hundreds of
segments of a long recording it is decoded once, into a FLAC file that all processes share.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from ..core import locks
from ..core.cache import cache_folder
from ..core.errors import SpaceError
from ..core.types import Seconds
from . import decoding, libsndfile
from .decoding import Source
from .resampling import SAMPLE_RATE, Samples

log = logging.getLogger(__name__)

FROM_START: Seconds = 60.0
"""End of a segment up to which it is quicker to decode the file from its start."""
GAIN = 1 / 8
"""Factor of the samples in a copy: lossy files go beyond full scale, and 24 bits have room."""
BYTES_PER_SAMPLE = 3
"""Most bytes of a sample in a copy; FLAC takes a half to two thirds of them."""
MAX_SHARE_OF_SPACE = 0.5
"""Share of the free space of its disk, counted without the copies, that the copies may take."""
DECODER = "1"
"""Version of decoding: copies of another one are not read."""


def read_segment(path: Path, start: int, count: int | None) -> Samples:
    """Return `count` samples from `start` on, or all to the end, or fewer if the file ends before.

    They are float32, (n_samples, channels), at 16 kHz.

    Raises:
        AudioError: the file cannot be read, or nothing in it.
        SpaceError: the disk is too full for the copy of a long file.
    """
    copy = _copy_path(path)
    if (
        copy is not None
        and copy.is_file()
        and (samples := _read_copy(copy, start, count)) is not None
    ):
        return samples
    source = decoding.identify(path)
    is_late = count is None or start + count > FROM_START * SAMPLE_RATE
    is_whole = count is None and start == 0
    if copy is not None and is_late and not (source.is_seekable or is_whole):
        was_written = _make_copy(source, copy)
        if was_written and (samples := _read_copy(copy, start, count)) is not None:
            return samples
    return decoding.join_blocks(decoding.decode(source, start), count, source.channels)


def forget(path: Path) -> int:
    """Delete the copies of a file, which need not exist any more, and return their number."""
    folder = _folder()
    copies = list(folder.glob(f"{_digest(_resolve(path))}-*.flac"))
    for copy in copies:
        copy.unlink(missing_ok=True)
    return len(copies)


def _folder() -> Path:
    return cache_folder() / "decoded"


def _resolve(path: Path) -> str:
    return os.path.realpath(path)


def _digest(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:32]


def _copy_path(path: Path) -> Path | None:
    """Return where the copy of a file as it is now would be; None if there is no such file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    version = _digest(f"{DECODER} {status.st_size} {status.st_mtime_ns}")
    return _folder() / f"{_digest(_resolve(path))}-{version[:16]}.flac"


def _read_copy(copy: Path, start: int, count: int | None) -> Samples | None:
    """Return samples as `read_segment` does; None if the copy is gone or damaged."""
    try:
        _, channels, _ = libsndfile.read_header(copy)
        blocks = (block / GAIN for _, block in libsndfile.decode(copy, start))
        samples = decoding.join_blocks(blocks, count, channels)
        os.utime(copy)  # the least recently used copies are deleted first
    except (OSError, libsndfile.DecodeError):
        with suppress(OSError):
            copy.unlink(missing_ok=True)
        return None
    return samples


def _make_copy(source: Source, copy: Path) -> bool:
    """Decode a file into its copy, unless another process does. Return whether there is one."""
    if source.channels > libsndfile.MAX_FLAC_CHANNELS:
        return False
    folder = copy.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # One of 16 locks, and not one for each file, which would be left for ever.
        with locks.exclusive_lock(folder / f"{copy.name[0]}.lock", wait=True):
            if not copy.is_file():
                for unfinished in folder.glob(f".{copy.name[0]}*.flac"):
                    unfinished.unlink(missing_ok=True)  # left by a process that was killed
                forget(source.path)
                _make_room(folder, source)
                scratch = copy.with_name(f".{copy.name}")
                _write(decoding.decode(source), source.channels, scratch)
                scratch.replace(copy)
        return True
    except OSError as cause:
        if cause.errno in (errno.ENOSPC, errno.EDQUOT) or _is_full(folder):
            raise SpaceError(
                f"{folder}: the disk is full while a long recording is decoded into it; make room "
                "there, or let the environment variable TWISTER_CACHE name a folder on another disk"
            ) from cause
        _warn_once(folder, str(cause))
        return False


def _write(blocks: Iterator[Samples], channels: int, scratch: Path) -> None:
    """Write blocks to a copy. Raises OSError, and leaves no part of it."""
    try:
        with libsndfile.open_for_writing(scratch, channels) as write:
            for block in blocks:
                write(block * GAIN)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def _make_room(folder: Path, source: Source) -> None:
    """Delete the least recently used copies until a new one fits into their share of the disk."""
    copies = {copy: copy.stat() for copy in folder.glob("*.flac")}
    used = sum(status.st_size for status in copies.values())
    limit = MAX_SHARE_OF_SPACE * (shutil.disk_usage(folder).free + used)
    seconds = source.duration or decoding.measure_duration(source)
    needed = seconds * SAMPLE_RATE * source.channels * BYTES_PER_SAMPLE
    for copy, status in sorted(copies.items(), key=lambda pair: pair[1].st_mtime):
        if used + needed <= limit:
            break
        copy.unlink(missing_ok=True)
        used -= status.st_size


def _is_full(folder: Path) -> bool:
    """Return whether a disk has less than a block of samples left."""
    return folder.is_dir() and shutil.disk_usage(folder).free < libsndfile.BLOCK_FRAMES


@lru_cache(maxsize=16)
def _warn_once(folder: Path, reason: str) -> None:
    """Log, once for each folder and reason, that copies cannot be kept."""
    log.warning(
        "%s: cannot be written (%s), so that every segment of a long compressed recording is "
        "decoded from its start; let the environment variable TWISTER_CACHE name another folder",
        folder, reason,
    )  # fmt: skip
