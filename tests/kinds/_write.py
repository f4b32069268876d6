"""Encoders of the kinds: FFmpeg through PyAV, libsndfile, and WAV headers by hand."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
import soxr

from . import RATE, Samples


def at_rate(samples: Samples, rate: int) -> Samples:
    resampled: Samples = samples if rate == RATE else soxr.resample(samples, RATE, rate)
    return resampled


def in_channels(samples: Samples, channels: int) -> Samples:
    """Return the recording in several channels, (n_samples, channels), each a little quieter."""
    gains = np.linspace(1.0, 0.8, channels, dtype=np.float32)
    return samples[:, None] * gains


def to_pcm16(samples: Samples) -> bytes:
    return np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def add_track(container: Any, samples: Samples, codec: str, rate: int, layout: str) -> Any:
    """Add a stream of audio with the encoded recording; return it with its packets."""
    stream = container.add_stream(codec, rate=rate, layout=layout)
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(samples[None, :], np.float32), format="flt", layout="mono"
    )
    frame.sample_rate, frame.pts = RATE, 0
    return stream, frame


def encode(
    path: Path | Pipe,
    samples: Samples,
    codec: str,
    container: str,
    rate: int = RATE,
    layout: str = "mono",
    bit_rate: int | None = None,
    tracks: int = 1,
    codec_options: dict[str, str] | None = None,
    **muxer_options: str,
) -> Path:
    """Encode a recording with FFmpeg.

    Args:
        path: the file.
        samples: the recording; each further track has another one, backwards.
        codec: name of the encoder.
        container: name of the muxer.
        rate: sample rate of the file.
        layout: channels, as FFmpeg names them.
        bit_rate: bits per second; None leaves it to the encoder.
        tracks: number of tracks.
        codec_options: options of the encoder.
        muxer_options: options of the muxer.
    """
    with _open(path, container, muxer_options) as file:
        streams = []
        for number in range(tracks):
            stream, frame = add_track(
                file, samples if not number else samples[::-1], codec, rate, layout
            )
            if bit_rate:
                stream.bit_rate = bit_rate
            if codec_options:
                stream.options = codec_options
            streams.append((stream, frame))
        for stream, frame in streams:
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                file.mux(packet)
    return path.path if isinstance(path, Pipe) else path


def _open(path: Path | Pipe, container: str, muxer_options: dict[str, str]) -> Any:
    target = str(path) if isinstance(path, Path) else path
    return av.open(target, "w", format=container, options=muxer_options)


class Pipe:
    """Output that cannot be sought in, so that no header is corrected at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.write_bytes(b"")

    def write(self, content: bytes) -> int:
        with self.path.open("ab") as file:
            return file.write(content)


def encode_video(
    path: Path,
    samples: Samples | None,
    container: str,
    codec: str | None,
    picture: str = "mpeg4",
    rate: int = 48_000,
) -> Path:
    """Encode a film of 25 pictures a second, with the recording as its sound if there is one."""
    seconds = 2.0 if samples is None else len(samples) / RATE
    with av.open(str(path), "w", format=container) as file:
        video = file.add_stream(picture, rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = add_track(file, samples, codec, rate, "mono") if samples is not None else None
        for number in range(round(seconds * 25)):
            picture_frame = av.VideoFrame.from_ndarray(
                np.full((48, 64, 3), 5 * number % 256, np.uint8), format="rgb24"
            )
            for packet in video.encode(picture_frame.reformat(format="yuv420p")):
                file.mux(packet)
        for packet in video.encode(None):
            file.mux(packet)
        if sound:
            stream, frame = sound
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                file.mux(packet)
    return path


def sndfile(
    path: Path, samples: Samples, form: str, codec: str, rate: int = RATE, channels: int = 1
) -> Path:
    """Write a recording with libsndfile."""
    resampled = at_rate(samples, rate)
    content = in_channels(resampled, channels) if channels > 1 else resampled
    soundfile.write(os.fsencode(path), content, rate, format=form, subtype=codec)
    return path


def wav_header(
    data_bytes: int, rate: int = RATE, channels: int = 1, bits: int = 16, tag: int = 1
) -> bytes:
    """Return a RIFF header that says what it is told to say."""
    block = channels * bits // 8
    layout = struct.pack("<HHIIHH", tag, channels, rate, rate * block & 0xFFFFFFFF, block, bits)
    size = min(data_bytes + 36, 0xFFFFFFFF)
    return b"RIFF%sWAVEfmt %s%sdata%s" % (
        struct.pack("<I", size),
        struct.pack("<I", len(layout)),
        layout,
        struct.pack("<I", data_bytes),
    )


def wav_bytes(samples: Samples, rate: int = RATE) -> bytes:
    pcm = to_pcm16(at_rate(samples, rate))
    return wav_header(len(pcm), rate) + pcm
