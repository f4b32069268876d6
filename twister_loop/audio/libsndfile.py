"""Reading and writing with libsndfile: the only door to soundfile.

A file named `.pcm` without a header is read as Korean corpora store it: 16-bit little-endian
samples, mono, 16 kHz. If its number of bytes is odd, the last one is half a sample and is dropped.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from .resampling import SAMPLE_RATE, Samples

HEADERLESS_SUFFIX = ".pcm"
HEADERS = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM", b".snd")
"""First bytes of files that have a header although they are named `.pcm`."""
SAMPLE_BYTES = 2
"""Bytes of a sample in a file without a header."""
MAX_FLAC_CHANNELS = 8
BLOCK_FRAMES = 1 << 16
"""Samples of each channel that are read at once: what a header claims is never allocated."""


class DecodeError(Exception):
    """File that libsndfile cannot read."""


def read_header(path: Path) -> tuple[int, int, int]:
    """Return sample rate, channels and samples of each channel. Raises DecodeError or OSError."""
    try:
        with _open(path) as file:
            if file.subtype.startswith("MPEG"):
                raise DecodeError("libsndfile cuts some MP3 short")
            return file.samplerate, file.channels, file.frames
    except soundfile.LibsndfileError as cause:
        raise DecodeError(_reason(cause)) from cause


def decode(path: Path, start: int = 0) -> Iterator[tuple[int, Samples]]:
    """Yield sample rate and samples, float32 (n_samples, channels), of consecutive blocks.

    Args:
        path: the file.
        start: the first sample of each channel to read.

    Raises:
        DecodeError: the file is damaged at or after the samples that were yielded.
        OSError: the file cannot be opened.
    """
    try:
        with _open(path) as file:
            # libsndfile fails if it has to seek beyond the end.
            start = min(start, file.frames)
            if file.seekable():
                file.seek(start)
            else:  # GSM 06.10 in a wav file
                while start > 0:
                    start -= len(file.read(min(start, BLOCK_FRAMES), "float32")) or start
            while len(block := file.read(BLOCK_FRAMES, "float32", always_2d=True)):
                yield file.samplerate, block
    except soundfile.LibsndfileError as cause:
        raise DecodeError(_reason(cause)) from cause


def write(samples: Samples, path: Path, sample_rate: int) -> None:
    """Write samples as 16-bit PCM; the format is that of the file name's ending."""
    soundfile.write(os.fsencode(path), samples, sample_rate, subtype="PCM_16")


@contextmanager
def open_for_writing(path: Path, channels: int) -> Iterator[Callable[[Samples], None]]:
    """Open a FLAC file of 24-bit samples at 16 kHz, and give the function that adds a block.

    Raises OSError if it cannot be written.
    """
    try:
        with soundfile.SoundFile(
            os.fsencode(path), "w", SAMPLE_RATE, channels, "PCM_24", format="FLAC"
        ) as file:
            yield file.write
    except soundfile.LibsndfileError as cause:
        raise OSError(_reason(cause)) from cause


def encode_and_decode(samples: Samples, format_name: str, subtype: str, rate: int) -> Samples:
    """Return samples after a codec, in memory, at its own rate and with its own padding."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=format_name, subtype=subtype)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    return np.asarray(decoded, np.float32)


def is_headerless(path: Path) -> bool:
    """Return whether a file holds samples only, without format or rate. Raises OSError."""
    if path.suffix.lower() != HEADERLESS_SUFFIX:
        return False
    # Some corpora rename wav files to .pcm: these still have their header.
    with path.open("rb") as file:
        return not file.read(4).startswith(HEADERS)


def _open(path: Path) -> soundfile.SoundFile:
    # As bytes, since the name of a file need not be text in any encoding.
    name = os.fsencode(path)
    if not is_headerless(path):
        return soundfile.SoundFile(name)
    return soundfile.SoundFile(
        name, samplerate=SAMPLE_RATE, channels=1, format="RAW", subtype="PCM_16", endian="LITTLE"
    )


def _reason(cause: soundfile.LibsndfileError) -> str:
    """Return libsndfile's own sentence, without the path."""
    return str(cause.error_string).strip().rstrip(".")
