"""Speech in and out: mono, 16 kHz, float32 in [-1, 1]; the only door to soundfile and soxr.

A file named `.pcm` that has no header holds what Korean corpora put there: 16-bit little-endian
samples, mono, 16 kHz. Of an odd number of bytes the last is half a sample, and is dropped.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ..core.errors import AudioError
from ..core.types import Hertz, Seconds, Utterance

SAMPLE_RATE = 16_000
"""Hertz, everywhere in this library."""

Samples = NDArray[np.float32]
"""Shape (n_samples,)."""
HEADERLESS = ".pcm"
HEADERS = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM", b".snd")
"""How a file begins that was only renamed."""
SUFFIXES = frozenset(
    (
        ".wav .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .snd .w64 .caf .rf64 .sph .gsm .pcm"
    ).split()
)
"""What libsndfile reads and people have."""
SAMPLE_BYTES = 2
"""Of a headerless file."""
FRAME, HOP = 512, 160
"""Samples of a spectrum and between two, for `bandwidth`."""
BELOW_PEAK = 50.0
"""Decibels by which the spectrum of speech may fall until it counts as empty."""


def read(
    path: Path,
    offset: Seconds = 0.0,
    duration: Seconds | None = None,
    channel: int | None = None,
) -> Samples:
    """Read a stretch of any file that libsndfile reads, one channel or all mixed, resampled.

    Raises:
        AudioError: the file is missing, unreadable, or empty, or has no such channel.
    """
    try:
        with _opened(path) as file:
            rate = file.samplerate
            begin = min(round(offset * rate), file.frames)
            frames = file.frames - begin if duration is None else round(duration * rate)
            if file.seekable():
                file.seek(begin)
            else:  # GSM
                file.read(begin, dtype="float32")
            samples = file.read(frames, dtype="float32", always_2d=True)  # (n_samples, channels)
    except (soundfile.LibsndfileError, OSError) as cause:
        raise AudioError(f"{path}: not audio that can be read ({cause})") from cause
    if not len(samples):
        raise AudioError(f"{path}: empty")
    if channel is None:
        return resample(samples.mean(axis=1), rate)
    if channel >= samples.shape[1]:
        raise AudioError(f"{path}: has {samples.shape[1]} channels, none of number {channel}")
    return resample(samples[:, channel], rate)


def load_utterance(utterance: Utterance) -> Samples:
    """The speech of one utterance."""
    place = utterance.offset, utterance.duration, utterance.channel
    return read(utterance.audio_filepath, *place)


def resample(samples: Samples, from_rate: Hertz, to_rate: Hertz = SAMPLE_RATE) -> Samples:
    """Bring mono samples to another rate."""
    if from_rate == to_rate:
        return np.ascontiguousarray(samples, dtype=np.float32)
    resampled: Samples = soxr.resample(samples, from_rate, to_rate).astype(np.float32)
    return resampled


def write(samples: Samples, path: Path, sample_rate: int = SAMPLE_RATE) -> Seconds:
    """Write 16-bit samples and return their duration; whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.clip(samples, -1.0, 1.0), sample_rate, subtype="PCM_16")
    return len(samples) / sample_rate


def read_duration(path: Path) -> Seconds:
    """Raises AudioError where there is nothing to read."""
    try:
        with _opened(path) as file:
            return float(file.frames / file.samplerate)
    except (soundfile.LibsndfileError, OSError) as cause:
        raise AudioError(f"{path}: not audio that can be read ({cause})") from cause


def count_channels(path: Path) -> int:
    """Raises AudioError where there is nothing to read."""
    try:
        with _opened(path) as file:
            return int(file.channels)
    except (soundfile.LibsndfileError, OSError) as cause:
        raise AudioError(f"{path}: not audio that can be read ({cause})") from cause


def ends_in_half_sample(path: Path) -> bool:
    """Whether a headerless file ends in half a sample. Raises OSError."""
    return is_headerless(path) and path.stat().st_size % SAMPLE_BYTES != 0


def is_headerless(path: Path) -> bool:
    """Whether its samples come without a word about them. Raises OSError."""
    if path.suffix.lower() != HEADERLESS:
        return False
    with path.open("rb") as file:
        return not file.read(4).startswith(HEADERS)


def _opened(path: Path) -> soundfile.SoundFile:
    if not is_headerless(path):
        return soundfile.SoundFile(path)
    return soundfile.SoundFile(
        path, samplerate=SAMPLE_RATE, channels=1, format="RAW", subtype="PCM_16", endian="LITTLE"
    )


def encode_and_decode(samples: Samples, format_name: str, subtype: str, rate: Hertz) -> Samples:
    """What a codec leaves of samples: written by libsndfile in memory, and read back.

    `format_` and `subtype` are libsndfile's, such as OGG and OPUS; the codec works at `rate`.
    """
    file = io.BytesIO()
    before = np.clip(resample(samples, SAMPLE_RATE, rate), -1.0, 1.0)
    soundfile.write(file, before, round(rate), format=format_name, subtype=subtype)
    file.seek(0)
    after, _ = soundfile.read(file, dtype="float32")
    made = resample(after[: len(before)], rate, SAMPLE_RATE)[: len(samples)]
    return np.pad(made, (0, len(samples) - len(made)))


def measure_loudness(samples: Samples) -> float:
    """Root mean square in decibels below full scale."""
    return float(20 * np.log10(np.sqrt(np.mean(np.square(samples, dtype=np.float64))) + 1e-10))


def estimate_bandwidth(samples: Samples) -> Hertz:
    """The highest frequency with sound: up to 8 kHz, a telephone's is about 3.4 kHz.

    Where the mean power spectrum is last within 50 dB of its peak, as the bandwidth estimation of
    NVIDIA's Speech Data Processor has it; in steps of 31 Hz. 0.0 for digital silence.
    """
    even = np.pad(samples - samples.mean(), (0, max(0, FRAME - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(even, FRAME)[::HOP]  # (frames, FRAME)
    power = np.square(np.abs(np.fft.rfft(frames * np.blackman(FRAME)))).mean(axis=0)  # (bins,)
    loud = np.flatnonzero(power > power.max() * 10 ** (-BELOW_PEAK / 10))
    return float(loud[-1] * SAMPLE_RATE / FRAME) if len(loud) else 0.0
