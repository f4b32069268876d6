"""Decoding of compressed audio and video files with FFmpeg: the only door to PyAV.

Import this module only when a file has to be decoded: that takes a tenth of a second.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from ..core.types import Seconds
from .resampling import Samples

log = logging.getLogger(__name__)

DEMUXERS = (
    "aa aac aax ac3 act aiff amr amrnb amrwb ape asf au avi caf dsf dss dts dtshd eac3 flac flv "
    "gsm ircam latm loas matroska mlp mmf mov mp3 mpc mpc8 mpeg mpegts mxf nistsphere nut ogg oma "
    "qcp rm shn tak truehd tta voc w64 wav webm wtv wv xwma"
).split()
"""Containers that are read. Others, such as playlists, would open further files."""
MAX_FAILURES = 1000
"""Failures to read on after damage, one after another, at which a file counts as ended."""
FRAMES_PER_BLOCK = 100
"""Decoded frames that are handed on together: 2 to 3 s of audio."""
LEAST_GAP, LONGEST_GAP = 0.05, 60.0
"""Seconds between the end of a frame and the time of the next one that are filled with silence.
Less is rounding of the times, and more is a damaged time."""


@dataclass(frozen=True)
class Header:
    """Contents of a file according to its container, which may be wrong."""

    rate: int
    channels: int
    duration: Seconds | None
    tracks: int
    """Number of audio tracks; the first one is read."""


class DecodeError(Exception):
    """File that FFmpeg cannot decode."""


def read_header(path: Path) -> Header:
    """Return what the container tells. Raises DecodeError or OSError."""
    with _open(path) as (container, stream):
        duration = None
        if stream.duration is not None and stream.time_base is not None:
            duration = float(stream.duration * stream.time_base)
        elif container.duration is not None and container.duration > 0:
            duration = container.duration / av.time_base
        tracks = len(container.streams.audio)
        return Header(stream.sample_rate, stream.channels, duration, tracks)


def decode(path: Path) -> Iterator[tuple[int, Samples]]:
    """Yield sample rate and samples, float32 (n_samples, channels), of consecutive blocks.

    Damaged frames are passed over, and logged with their number; where the times of a file show
    that some are missing, there is silence.

    Raises:
        DecodeError: there is no audio in the file.
        OSError: the file cannot be opened.
    """
    damaged, rate, frames = 0, 0, list[Samples]()
    with _open(path) as (container, stream):
        timeline = _Timeline()
        for packet in _demux(container, stream):
            if packet is None:
                damaged += 1
                continue
            try:
                decoded = packet.decode()
            except av.FFmpegError:
                damaged += 1
                continue
            for frame in decoded:
                samples = _to_samples(frame)
                if frames and (
                    frame.sample_rate != rate
                    or samples.shape[1] != frames[0].shape[1]
                    or len(frames) >= FRAMES_PER_BLOCK
                ):
                    yield rate, np.concatenate(frames)
                    frames = []
                rate = frame.sample_rate
                gap = timeline.advance(frame.pts, frame.time_base, frame.samples / rate)
                if gap:
                    frames.append(np.zeros((round(gap * rate), samples.shape[1]), np.float32))
                frames.append(samples)
        if frames:
            yield rate, np.concatenate(frames)
    if damaged:
        log.warning("%s: passed over %d damaged pieces", path, damaged)


def measure_duration(path: Path) -> Seconds:
    """Return the duration that a decoding gives, from the lengths of all packets.

    Raises:
        DecodeError: there is no audio in the file.
        OSError: the file cannot be opened.
    """
    with _open(path) as (container, stream):
        timeline, seconds = _Timeline(), 0.0
        for packet in _demux(container, stream):
            if packet is None or not packet.size:
                continue
            if not packet.duration:
                break  # some containers leave it to the decoder
            length = float(packet.duration * packet.time_base)
            seconds += timeline.advance(packet.pts, packet.time_base, length)
            if not packet.is_discard:
                seconds += length - _skipped_samples(packet) / stream.sample_rate
        else:
            return seconds
    return sum(len(block) / rate for rate, block in decode(path))


def find_end(path: Path) -> Seconds | None:
    """Return the end of the last frame, found by a seek; None if it has no time.

    Exact where every frame has its number, as in FLAC. Raises DecodeError or OSError.
    """
    with _open(path) as (container, stream):
        end = None
        try:
            container.seek(2**40, stream=stream)
        except av.FFmpegError:
            return None
        for packet in _demux(container, stream):
            if packet is not None and packet.size and packet.pts is not None:
                end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
        return end


class _Timeline:
    """Times of consecutive frames, by which missing ones are noticed."""

    def __init__(self) -> None:
        self._end: Seconds | None = None

    def advance(self, pts: int | None, time_base: Any, length: Seconds) -> Seconds:
        """Return the seconds that are missing before a frame, and go on to its end."""
        if pts is None or time_base is None:
            self._end = None
            return 0.0
        start = float(pts * time_base)
        gap = 0.0 if self._end is None else start - self._end
        self._end = start + length
        # Times that go back are those of the next of several joined files.
        return gap if LEAST_GAP <= gap <= LONGEST_GAP else 0.0


@contextmanager
def _open(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a file and its first audio stream. Raises DecodeError or OSError."""
    # An open file and not its name, which FFmpeg might take for an address or a list of files.
    with path.open("rb") as file:
        try:
            with av.open(file, options={"format_whitelist": ",".join(DEMUXERS)}) as container:
                stream = next(iter(container.streams.audio), None)
                if stream is None:
                    raise DecodeError("there is no audio track in it")
                if stream.codec_context is None:
                    raise DecodeError("the codec of its audio track is unknown")
                stream.codec_context.thread_count = 1
                yield container, stream
        except av.FFmpegError as cause:
            raise DecodeError(cause.strerror or str(cause)) from cause


def _demux(container: Any, stream: Any) -> Iterator[Any]:
    """Yield the packets of a stream, and None for a place at which it is damaged."""
    failures = 0
    while failures < MAX_FAILURES:
        try:
            for packet in container.demux(stream):
                failures = 0
                yield packet
            return
        except av.FFmpegError:
            failures += 1
            yield None


def _skipped_samples(packet: Any) -> int:
    """Return the number of samples of a packet that a decoder drops at its start and its end."""
    if not packet.has_sidedata("skip_samples"):
        return 0
    skipped = bytes(packet.get_sidedata("skip_samples"))
    return int.from_bytes(skipped[:4], "little") + int.from_bytes(skipped[4:8], "little")


def _to_samples(frame: Any) -> Samples:
    """Return a decoded frame as float32, (n_samples, channels), in [-1, 1]."""
    samples = frame.to_ndarray()  # planar: (channels, n_samples), else (1, n_samples * channels)
    channels = frame.layout.nb_channels
    samples = samples.T if frame.format.is_planar else samples.reshape(-1, channels)
    if samples.dtype == np.uint8:
        samples = samples.astype(np.float32) / 128 - 1
    elif samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / np.float32(2.0 ** (8 * samples.itemsize - 1))
    return np.ascontiguousarray(samples, np.float32)
