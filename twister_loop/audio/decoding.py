"""Decoding of files by whichever library reads them, whole or from some time on, at 16 kHz.

libsndfile reads uncompressed formats and FLAC, and seeks in them exactly. FFmpeg reads everything
else, from the start only: a seek in a lossy file damages what comes first after it. Which of both
is tried first follows from the first bytes of a file and not from its name.
"""

from __future__ import annotations

import logging
import math
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import AudioError
from ..core.types import Seconds
from . import libsndfile
from ._damage import warn_of_damage
from .resampling import SAMPLE_RATE, Samples, resample_blocks

log = logging.getLogger(__name__)

SEEKABLE_HEADERS = (
    *(b"RIFF", b"RF64", b"RIFX", b"FORM", b".snd", b"fLaC", b"riff", b"NIST", b"caff"),
    *(b"Crea", b"PVF1", b"2BIT", b"MATL", b"\x64\xa3\x01\0", b"ajkg"),
)
"""First bytes of files that libsndfile reads exactly, unless it turns out that it does not."""
HEADERLESS_SUFFIXES = frozenset({".pcm", ".gsm", ".vox"})
"""Endings of files whose first bytes say nothing."""
MIN_RATE, MAX_RATE = 4_000, 768_000
"""Sample rates in hertz that a recording may have."""
MAX_CHANNELS = 64
MAX_HOURS = 100.0
"""Longest recording, in hours. A file that seems to be longer is damaged or has no end."""
MARGIN: Seconds = 0.05
"""Audio before a segment that is resampled with it, since a resampler starts as from silence."""
MAX_HEADER_ERROR: Seconds = 0.05
"""Difference to the end of a FLAC file up to which its header is right."""


@dataclass(frozen=True)
class Source:
    """File that can be read, and by what."""

    path: Path
    rate: int
    channels: int
    duration: Seconds | None
    """Duration as its header has it; exact if it is seekable."""
    is_seekable: bool
    """Segments can be read by libsndfile without decoding what comes before them."""
    tracks: int = 1


def ffmpeg() -> Any:
    """Return the module that decodes with FFmpeg: loading it takes a tenth of a second."""
    return import_module("twister_loop.audio.ffmpeg")


def identify(path: Path) -> Source:
    """Return how a file is read. Raises AudioError with the reasons of both libraries."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(f"{path}: not a file of audio but a folder, a pipe or a device")
        if not status.st_size:
            raise AudioError(f"{path}: the file is empty")
        return _identify(path, status.st_size, status.st_mtime_ns)
    except (OSError, ValueError) as cause:
        raise AudioError(f"{path}: cannot read audio ({cause})") from cause


@lru_cache(maxsize=10_000)  # training reads a file once an epoch
def _identify(path: Path, size: int, mtime_ns: int) -> Source:
    """Return how a file of this size and this time of its last change is read."""
    with path.open("rb") as file:
        first_bytes = file.read(4)
    reasons = []
    for identify_with in _order(path, first_bytes):
        try:
            source = _check_source(identify_with(path))
        except (libsndfile.DecodeError, ffmpeg().DecodeError) as cause:
            reasons.append(str(cause))
            continue
        if source.tracks > 1:
            log.info("%s: has %d audio tracks, of which the first is read", path, source.tracks)
        return source
    raise AudioError(f"{path}: cannot read audio ({'; '.join(reasons)})")


def _order(path: Path, first_bytes: bytes) -> list[Any]:
    """Return the functions that identify a file, the one that is probably right first."""
    if first_bytes.startswith(SEEKABLE_HEADERS) or path.suffix.lower() in HEADERLESS_SUFFIXES:
        return [_identify_with_libsndfile, _identify_with_ffmpeg]
    # libsndfile takes anything else for MP3.
    return [_identify_with_ffmpeg]


def _identify_with_libsndfile(path: Path) -> Source:
    rate, channels, frames = libsndfile.read_header(path)
    if not frames:
        raise libsndfile.DecodeError("libsndfile: its header says that there are no samples")
    duration = frames / max(rate, 1)
    with path.open("rb") as file:
        is_flac = file.read(4) == b"fLaC"
    if is_flac:
        # Its header may say nothing or anything; its frames are numbered.
        end = ffmpeg().find_end(path)
        if end is not None and abs(end - duration) > MAX_HEADER_ERROR:
            raise libsndfile.DecodeError(
                f"its header says {duration:g} s, and it ends at {end:g} s"
            )
    return Source(path, rate, channels, duration, is_seekable=True)


def _identify_with_ffmpeg(path: Path) -> Source:
    header = ffmpeg().read_header(path)
    return Source(
        path, header.rate, header.channels, header.duration, is_seekable=False, tracks=header.tracks
    )


def _check_source(source: Source) -> Source:
    """Return the source. Raises AudioError if no recording can be like it."""
    if not MIN_RATE <= source.rate <= MAX_RATE:
        raise AudioError(
            f"{source.path}: the sample rate is {source.rate} Hz; recordings have between "
            f"{MIN_RATE} and {MAX_RATE} Hz"
        )
    if not 1 <= source.channels <= MAX_CHANNELS:
        raise AudioError(
            f"{source.path}: it has {source.channels} channels, not 1 to {MAX_CHANNELS}"
        )
    if source.is_seekable and source.duration and source.duration > MAX_HOURS * 3600:
        raise AudioError(
            f"{source.path}: {source.duration / 3600:.0f} hours; a recording has at most "
            f"{MAX_HOURS:g}: cut it"
        )
    return source


def decode(source: Source, start: int = 0) -> Iterator[Samples]:
    """Yield the samples of a file from `start` on, block by block.

    Args:
        source: the file.
        start: the first sample to yield, counted at 16 kHz.

    Yields:
        float32, (n_samples, channels), at 16 kHz. A file that is damaged ends where nothing more
        can be decoded.

    Raises:
        AudioError: nothing can be decoded, or the file is longer than any recording.
    """
    position, is_empty = start, True
    blocks = _decode_from(source, start)
    try:
        for block in blocks:
            is_empty = is_empty and not len(block)
            position += len(block)
            if position > MAX_HOURS * 3600 * SAMPLE_RATE:
                raise AudioError(f"{source.path}: longer than {MAX_HOURS:g} hours; cut it")
            yield block
    except OSError as cause:
        raise AudioError(f"{source.path}: cannot read audio ({cause})") from cause
    except (libsndfile.DecodeError, ffmpeg().DecodeError) as cause:
        if source.is_seekable:
            # libsndfile stops at damage; FFmpeg goes on behind it.
            yield from _decode_rest(source.path, start, position, str(cause))
        elif is_empty:
            raise AudioError(f"{source.path}: cannot read audio ({cause})") from cause
        else:
            warn_of_damage(source.path, str(cause))


def _decode_rest(path: Path, start: int, position: int, damage: str) -> Iterator[Samples]:
    """Yield with FFmpeg what follows `position`, where libsndfile stopped after `start`."""
    try:
        yield from decode(_identify_with_ffmpeg(path), position)
    except (AudioError, OSError, ffmpeg().DecodeError) as cause:
        if position == start:
            raise AudioError(f"{path}: cannot read audio ({damage}; {cause})") from cause
        warn_of_damage(path, damage)


def _decode_from(source: Source, start: int) -> Iterator[Samples]:
    """Yield blocks at 16 kHz from a sample on, after a seek or after decoding what is before."""
    if not source.is_seekable:
        yield from _drop_first(resample_blocks(ffmpeg().decode(source.path)), start)
        return
    # A sample of the file that is also one at 16 kHz, so that a segment is a slice of the whole.
    step = source.rate // math.gcd(source.rate, SAMPLE_RATE)
    step_out = SAMPLE_RATE // math.gcd(source.rate, SAMPLE_RATE)
    margin = 0 if source.rate == SAMPLE_RATE else round(MARGIN * SAMPLE_RATE)
    steps = max(0, start - margin) // step_out
    blocks = resample_blocks(libsndfile.decode(source.path, steps * step))
    yield from _drop_first(blocks, start - steps * step_out)


def _drop_first(blocks: Iterator[Samples], count: int) -> Iterator[Samples]:
    """Yield blocks without the first `count` samples."""
    for block in blocks:
        if count < len(block):
            yield block[count:]
        count = max(0, count - len(block))


def measure_duration(source: Source) -> Seconds:
    """Return the duration that a decoding gives, within 0.1 s. Raises AudioError."""
    try:
        if source.is_seekable and source.duration is not None:
            seconds = source.duration
        else:
            seconds = float(ffmpeg().measure_duration(source.path))
    except (OSError, ffmpeg().DecodeError) as cause:
        raise AudioError(f"{source.path}: cannot read audio ({cause})") from cause
    if not 0 < seconds <= MAX_HOURS * 3600:
        raise AudioError(
            f"{source.path}: {seconds:g} s of audio; a recording has more than none and at most "
            f"{MAX_HOURS:g} hours"
        )
    return seconds


def join_blocks(blocks: Iterator[Samples], count: int | None, channels: int) -> Samples:
    """Return the first `count` samples of all blocks, or all, as (n_samples, channels)."""
    parts, total = [], 0
    for block in blocks:
        parts.append(block if count is None else block[: count - total])
        total += len(parts[-1])
        if count is not None and total >= count:
            break
    return np.concatenate(parts) if parts else np.zeros((0, channels), np.float32)
