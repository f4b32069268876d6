"""Decoding of compressed audio and video files with FFmpeg: the only door to PyAV.

Import this module only when a file has to be decoded: that takes a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np

from ..core.types import Seconds
from ._damage import warn_of_damage
from ._padding import Padding
from .resampling import Samples

DEMUXERS = (
    "aa aac aax ac3 act aiff amr amrnb amrwb ape asf au avi caf dsf dss dts dtshd eac3 flac flv "
    "gsm ircam latm loas matroska mlp mmf mov mp3 mpc mpc8 mpeg mpegts mxf nistsphere nut ogg oma "
    "qcp rm shn tak truehd tta voc w64 wav webm wtv wv xwma"
).split()
"""Containers that are read. Others, such as playlists, would open further files."""
SELF_FRAMED = ("aac", "ac3", "eac3", "flac", "mp3", "mpegts", "ogg")
"""Containers whose header estimates the duration, or may. Their packets have their lengths."""
WITHOUT_TIMES = ("aac", "ac3", "eac3", "mp3")
"""Containers in which FFmpeg counts the time of a packet, also over what is no audio."""
MAX_DISAGREEMENT: Seconds = 0.05
"""Difference between the header and the packets of other containers up to which both are right."""
MAX_FAILURES = 1000
"""Failures to read on after damage, one after another, at which a file counts as ended."""
MAX_SEARCH = 1 << 26
"""Bytes that are searched for the first or the next packet of audio: a few seconds of video."""
FRAMES_PER_BLOCK = 100
"""Decoded frames that are handed on together: 2 to 3 s of audio."""
LEAST_GAP, LONGEST_GAP = 0.05, 60.0
"""Seconds between the end of a packet and the time of the next one that are taken for missing
audio. Less is rounding of the times, and more is a damaged time or that of a joined file."""


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
    with _open(path) as track:
        tracks = len(track.container.streams.audio)
        context = track.stream.codec_context
        return Header(context.sample_rate, context.channels, track.header_duration(), tracks)


def decode(path: Path) -> Iterator[tuple[int, Samples]]:
    """Yield sample rate and samples, float32 (n_samples, channels), of consecutive blocks.

    Damaged packets are passed over, and logged with their number. Where the times of packets show
    that some are missing, there is silence.

    Raises:
        DecodeError: there is no audio in the file.
        OSError: the file cannot be opened.
    """
    with _open(path) as track:
        frames, form, is_empty = list[Samples](), (0, 0), True
        for rate, samples in track.frames():
            is_empty = False
            if frames and (form != (rate, samples.shape[1]) or len(frames) >= FRAMES_PER_BLOCK):
                yield form[0], np.concatenate(frames)
                frames = []
            form = rate, samples.shape[1]
            frames.append(samples)
        if frames:
            yield form[0], np.concatenate(frames)
        if is_empty and track.damage_count:
            raise DecodeError(
                f"FFmpeg decodes none of its {track.damage_count} packets; they are damaged or "
                "encrypted"
            )
        if track.damage_count:
            warn_of_damage(path, f"damaged in {track.damage_count} place(s)")


def measure_duration(path: Path) -> Seconds:
    """Return the duration that a decoding gives, from the times and lengths of all packets.

    Raises:
        DecodeError: there is no audio in the file.
        OSError: the file cannot be opened.
    """
    with _open(path) as track:
        seconds, header = track.sum_packets(), track.header_duration()
        if seconds is not None and (
            track.container.format.name in SELF_FRAMED
            or (header is not None and abs(seconds - header) <= MAX_DISAGREEMENT)
        ):
            return seconds
    return sum(len(block) / rate for rate, block in decode(path))


def find_end(path: Path) -> Seconds | None:
    """Return the end of the last frame, found by a seek; None if it has no time.

    Exact where every frame has its number, as in FLAC. Raises DecodeError or OSError.
    """
    with _open(path) as track:
        try:
            track.container.seek(2**40, stream=track.stream)
        except av.FFmpegError:
            return None
        end, last = None, None
        for packet in track.packets():
            if packet.size and packet.pts is not None:
                end, last = float(packet.pts * packet.time_base), packet
        if end is None or _is_broken(last):
            return end
        return end + track.length(last)


@contextmanager
def _open(path: Path) -> Iterator[_Track]:
    """Open the first audio track of a file. Raises DecodeError or OSError."""
    # An open file and not its name, which FFmpeg might take for an address or a list of files.
    with path.open("rb") as file:
        bounded = _BoundedFile(file, path.name)
        try:
            options = {"format_whitelist": ",".join(DEMUXERS)}
            with av.open(bounded, options=options) as container:
                stream = next(iter(container.streams.audio), None)
                if stream is None:
                    raise DecodeError("FFmpeg: there is no audio track in it")
                if stream.codec_context is None or not stream.codec_context.sample_rate:
                    raise DecodeError("FFmpeg does not know the codec of its audio track")
                bounded.go_on()
                yield _Track(container, stream, bounded)
        except av.InvalidDataError as cause:
            raise DecodeError("FFmpeg knows no audio format like it") from cause
        except av.FFmpegError as cause:
            raise DecodeError(f"FFmpeg: {cause.strerror or cause}") from cause


class _BoundedFile:
    """File of which only so much is read at a stretch without finding audio.

    FFmpeg would search a terabyte of zeros to its end.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self.name = file, name
        self.seek, self.tell = file.seek, file.tell
        self._rest = MAX_SEARCH

    def go_on(self) -> None:
        """Allow the next stretch, since audio was found."""
        self._rest = MAX_SEARCH

    def read(self, size: int) -> bytes:
        content = self._file.read(min(size, self._rest))
        self._rest -= len(content)
        return content


class _Track:
    """Audio track of an open file, which can be gone through once."""

    def __init__(self, container: Any, stream: Any, file: _BoundedFile) -> None:
        self.container, self.stream, self._file = container, stream, file
        # Threads of FFmpeg would not survive a fork, and gain nothing with audio.
        stream.codec_context.thread_count = 1
        # Once, since the fractions of PyAV are slow and there are a million packets in ten hours.
        self._tick = float(stream.time_base)
        self._frame_tick: float | None = None
        self._has_times = container.format.name not in WITHOUT_TIMES
        self.damage_count = 0
        self._padding = Padding("", is_told=True)
        self._end: Seconds | None = None

    def header_duration(self) -> Seconds | None:
        """Return the duration that the container tells, if it tells one."""
        if self.container.format.name == "flac":
            return None  # only asked about FLAC files whose header is wrong
        if self.stream.duration:
            return float(self.stream.duration * self.stream.time_base)
        return self.container.duration / av.time_base if self.container.duration else None

    def packets(self) -> Iterator[Any]:
        """Yield all packets with audio, then an empty one. Damage is passed over and counted."""
        is_first, failures = True, 0
        while failures < MAX_FAILURES:
            try:
                for packet in self.container.demux(self.stream):
                    failures = 0
                    self._file.go_on()
                    if is_first:
                        is_told = packet.is_discard or _skipped_samples(packet) > 0
                        self._padding = Padding(self.stream.codec_context.name, is_told=is_told)
                        is_first = False
                    if not packet.size or self._padding.is_sound(bytes(packet)):
                        yield packet
                return
            except av.FFmpegError:
                failures += 1
                self.damage_count += failures == 1

    def frames(self) -> Iterator[tuple[int, Samples]]:
        """Yield sample rate and samples, (n_samples, channels), of every frame."""
        last, length = None, 0.0
        for packet in self.packets():
            try:
                decoded = packet.decode()
            except av.FFmpegError:
                self.damage_count += 1
                continue
            length = self.length(packet) or length
            for frame in decoded:
                if last:
                    yield last
                if self._frame_tick is None:
                    self._frame_tick = float(frame.time_base or self._tick)
                rate, samples = frame.sample_rate, _to_samples(frame)
                gap = self._go_on(frame.pts, self._frame_tick, len(samples) / rate)
                if gap >= LEAST_GAP:
                    self.damage_count += 1
                    yield rate, np.zeros((round(gap * rate), samples.shape[1]), np.float32)
                start, end = self._padding.keep(len(samples))
                last = rate, samples[start:end]
        if last:
            # The container tells how much of the last frame belongs to the recording.
            rate, samples = last
            yield rate, samples[: round(length * rate)] if length else samples

    def sum_packets(self) -> Seconds | None:
        """Return the duration of all packets; None if it takes a decoder to know it."""
        seconds, rate, last = 0.0, self.stream.codec_context.sample_rate, None
        for packet in self.packets():
            if not packet.size:
                continue
            if not (length := self.length(packet)):
                return None
            seconds += self._go_on(packet.pts, self._tick, length)
            if not packet.is_discard:
                start, end = self._padding.keep(round(length * rate))
                seconds += max(0, end - start - _skipped_samples(packet)) / rate
            last = packet
        return seconds - self.length(last) if _is_broken(last) else seconds

    def length(self, packet: Any) -> Seconds:
        """Return the duration of a packet, 0 if it has none."""
        return (packet.duration or 0) * self._tick

    def _go_on(self, pts: int | None, tick: Seconds, length: Seconds) -> Seconds:
        """Return the seconds between the last packet or frame and this one, and go on to its end.

        It is 0 where the time jumps, as between joined files.
        """
        if not self._has_times:
            return 0.0
        if pts is None:
            self._end = None if self._end is None else self._end + length
            return 0.0
        start = pts * tick
        gap = 0.0 if self._end is None else start - self._end
        self._end = start + length
        return gap if -LEAST_GAP <= gap <= LONGEST_GAP else 0.0


def _is_broken(packet: Any) -> bool:
    """Return whether the last frame of a FLAC file is cut off: it may last longer than 0.1 s."""
    if packet is None or packet.stream.codec_context.name != "flac":
        return False
    try:
        packet.decode()
    except av.FFmpegError:
        return True
    return False


def _skipped_samples(packet: Any) -> int:
    """Return the number of samples of a packet that FFmpeg drops at its start and its end."""
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
