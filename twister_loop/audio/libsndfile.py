"""Reading and writing with libsndfile: the only door to soundfile.

A file named `.pcm` without a header is read as Korean corpora store it: 16-bit little-endian
samples, mono, 16 kHz. If its number of bytes is odd, the last one is half a sample and is dropped.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from . import _riff
from ._damage import warn_of_damage
from .resampling import SAMPLE_RATE, Samples

HEADERLESS_SUFFIX = ".pcm"
HEADERS = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM", b".snd")
"""First bytes of files that have a header although they are named `.pcm`."""
SAMPLE_BYTES = 2
"""Bytes of a sample in a file without a header."""
MAX_BLOCK_FRAMES = 1 << 16
"""Samples of each channel in the longest block of a codec in a WAV file."""
MAX_FLAC_CHANNELS = 8
BLOCK_FRAMES = 1 << 16
"""Samples of each channel that are read at once: what a header claims is never allocated."""


class DecodeError(Exception):
    """File that libsndfile cannot read."""


def read_header(path: Path) -> tuple[int, int, int]:
    """Return sample rate, channels and samples of each channel. Raises DecodeError or OSError."""
    rate = channels = frames = 0
    for file, part_frames in _open_parts(path):
        rate, channels = file.samplerate, file.channels
        frames += part_frames
    return rate, channels, frames


def decode(path: Path, start: int = 0) -> Iterator[tuple[int, Samples]]:
    """Yield sample rate and samples, float32 (n_samples, channels), of consecutive blocks.

    Args:
        path: the file.
        start: the first sample of each channel to read.

    Raises:
        DecodeError: the file is damaged at or after the samples that were yielded.
        OSError: the file cannot be opened.
    """
    for file, frames in _open_parts(path):
        try:
            rest = frames - start
            start = max(0, -rest)
            if rest <= 0:  # libsndfile fails if it has to seek beyond the end
                continue
            _seek(file, frames - rest)
            while rest > 0:
                block = file.read(min(rest, BLOCK_FRAMES), "float32", always_2d=True)
                if not len(block):
                    break
                rest -= len(block)
                yield file.samplerate, block
        except soundfile.LibsndfileError as cause:
            raise DecodeError(_reason(cause)) from cause


def _open_parts(path: Path) -> Iterator[tuple[soundfile.SoundFile, int]]:
    """Yield every recording in a file, open, with the samples of each channel in it.

    A WAV file has several if files were joined; they count while they are alike.

    Raises:
        DecodeError: libsndfile cannot read the first of them.
        OSError: the file cannot be opened.
    """
    wav_parts = _riff.find_parts(path)
    needs_no_help = not wav_parts or (len(wav_parts) == 1 and wav_parts[0].is_regular)
    parts: list[_riff.Part | None] = [None] if needs_no_help else [*wav_parts]
    if wav_parts and (missing := sum(part.missing for part in wav_parts)):
        warn_of_damage(path, f"its header promises {missing} bytes more than there are")
    form = None
    for part in parts:
        try:
            with contextlib.ExitStack() as stack:
                part_file = stack.enter_context(_riff.PartFile(path, part)) if part else None
                file = stack.enter_context(_open(path, part_file))
                if file.subtype.startswith("MPEG"):
                    raise DecodeError("libsndfile: it cuts some MP3 short")
                form = form or (file.samplerate, file.channels)
                if form != (file.samplerate, file.channels):
                    raise DecodeError(
                        "libsndfile: files of different rates or channels are joined in it"
                    )
                frames = part.samples if part and part.samples else file.frames
                # A codec of blocks fills up the last one; anything else is an error of the header.
                is_filled_up = 0 < file.frames - frames < MAX_BLOCK_FRAMES
                yield file, frames if is_filled_up else file.frames
        except soundfile.LibsndfileError as cause:
            raise DecodeError(_reason(cause)) from cause


def _seek(file: soundfile.SoundFile, start: int) -> None:
    """Go to a sample."""
    if file.seekable():
        file.seek(start)
        return
    while start > 0:  # GSM 06.10 in a wav file
        start -= len(file.read(min(start, BLOCK_FRAMES), "float32")) or start


def write(samples: Samples, path: Path, sample_rate: int) -> None:
    """Write samples as 16-bit PCM; the format is that of the file name's ending."""
    soundfile.write(os.fsencode(path), samples, sample_rate, subtype="PCM_16")


@contextlib.contextmanager
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


def _open(path: Path, part: _riff.PartFile | None = None) -> soundfile.SoundFile:
    """Open a file, or a part of it. Raises LibsndfileError or OSError."""
    if part is not None:
        return soundfile.SoundFile(part)
    # As bytes, since the name of a file need not be text in any encoding.
    name = os.fsencode(path)
    if not is_headerless(path):
        return soundfile.SoundFile(name)
    return soundfile.SoundFile(
        name, samplerate=SAMPLE_RATE, channels=1, format="RAW", subtype="PCM_16", endian="LITTLE"
    )


def _reason(cause: soundfile.LibsndfileError) -> str:
    """Return libsndfile's own sentence, without the path."""
    return "libsndfile: " + str(cause.error_string).strip().rstrip(".")
