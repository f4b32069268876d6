"""Reading and writing audio as mono float32 at 16 kHz. Samples are in [-1, 1]."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import numpy as np

from ..core.errors import AudioError
from ..core.types import Hertz, Seconds, Utterance
from . import decoded_files, decoding, libsndfile
from .libsndfile import is_headerless as is_headerless
from .resampling import SAMPLE_RATE as SAMPLE_RATE
from .resampling import Samples as Samples
from .resampling import resample as resample

SUFFIXES = frozenset(
    (
        ".wav .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .snd .w64 .caf .rf64 .sph .gsm .pcm "
        ".m4a .m4b .mp4 .m4v .mov .3gp .3g2 .aac .webm .mka .mkv .wma .asf .wmv .amr .awb .spx "
        ".mp2 .mpga .mpg .mpeg .ts .m2ts .avi .flv .ac3 .eac3 .ape .wv .tta .dts .voc .ra .rm"
    ).split()
)
"""File name endings of audio, and of video with an audio track."""
MAX_DURATION_ERROR: Seconds = 0.1
"""Seconds by which `measure_duration` may differ from what is decoded."""
FRAME, HOP = 512, 160
"""Frame length and step in samples, for `estimate_bandwidth`."""
MAX_PEAK = 4.0
"""Highest peak that counts as audio: 12 dB above full scale, the headroom that ITU-R BS.1770 leaves
for true peaks. Lossy codecs and resampling stay below it; integers in a float file do not."""
MIN_SHARE_OF_LOUDEST = 0.5
"""Least level of the mean of all channels, as a share of what the loudest one alone would give.
Below it (12 dB under a channel of a stereo file) the channels cancel each other."""
MAX_DECIBELS_BELOW_PEAK = 50.0
"""Decibels below the peak of the spectrum under which a frequency counts as empty."""


def read(
    path: Path,
    offset: Seconds = 0.0,
    duration: Seconds | None = None,
    channel: int | None = None,
) -> Samples:
    """Read a segment of an audio file, or of the first audio track of a video file.

    A segment is the same as that slice of the whole file, in every format.

    Args:
        path: the file.
        offset: start of the segment.
        duration: length of the segment; None reads to the end.
        channel: a channel, counted from 0; None takes the mean of all channels, or the loudest
            one if they cancel each other, as with a microphone of inverted polarity.

    Returns:
        float32, (n_samples,), at 16 kHz whatever the rate of the file.

    Raises:
        AudioError: the file is missing, unreadable or empty, has no such channel, or has samples
            that are not finite or far beyond full scale.
        SpaceError: the disk of the cache is too full to decode a long compressed file.
    """
    start = round(offset * SAMPLE_RATE)
    count = None if duration is None else round(duration * SAMPLE_RATE)
    samples = decoded_files.read_segment(path, start, count)
    if not len(samples):
        raise AudioError(f"{path}: no audio from {offset:g} s on; the file or the segment is empty")
    if channel is None:
        _check_samples(path, samples)
        return _mix_channels(samples)
    if channel >= samples.shape[1]:
        raise AudioError(
            f"{path}: there is no channel {channel}; it has {samples.shape[1]}, counted from 0"
        )
    # A channel of a stereo file is every second sample; engines want contiguous memory.
    selected = np.ascontiguousarray(samples[:, channel])
    _check_samples(path, selected)
    return selected


def _check_samples(path: Path, samples: Samples) -> None:
    """Raise AudioError for samples, (n_samples, ...), that are no sound."""
    # The extremes need no copy of hours of samples, and are NaN if any sample is.
    lowest, highest = float(samples.min()), float(samples.max())
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        raise AudioError(f"{path}: some samples are NaN or infinite; make the file again")
    if (peak := max(-lowest, highest)) > MAX_PEAK:
        raise AudioError(
            f"{path}: samples reach {peak:g}, and full scale is 1; scale them to between -1 and 1 "
            "(16-bit integers in a float file are divided by 32768)"
        )


def _mix_channels(samples: Samples) -> Samples:
    """Return the mean of all channels, or the loudest channel if they cancel each other.

    Args:
        samples: (n_samples, channels).
    """
    # The mean and not the sum, which would clip.
    mixed: Samples = samples.mean(axis=1)
    channels = samples.shape[1]
    if channels == 1:
        return mixed
    # Deviations and not levels: an offset that all channels have in common is no sound.
    levels = samples.std(axis=0, dtype=np.float64)
    loudest = int(levels.argmax())
    if mixed.std(dtype=np.float64) < MIN_SHARE_OF_LOUDEST * levels[loudest] / channels:
        return np.ascontiguousarray(samples[:, loudest])
    return mixed


def load_utterance(utterance: Utterance) -> Samples:
    """Return the audio of an utterance, float32 (n_samples,) at 16 kHz. Raises AudioError."""
    return read(
        utterance.audio_filepath,
        offset=utterance.offset,
        duration=utterance.duration,
        channel=utterance.channel,
    )


def write(samples: Samples, path: Path, sample_rate: int = SAMPLE_RATE) -> Seconds:
    """Write mono samples as 16-bit PCM and return their duration.

    Samples beyond full scale are clipped. The format is that of the file name's ending.

    Raises:
        AudioError: some samples are NaN or infinite, which 16 bits would turn into full scale.
    """
    if not np.isfinite(samples).all():
        raise AudioError(f"{path}: not written, because some samples are NaN or infinite")
    # 16 bits: half the space of float32, and recordings of speech rarely have more.
    path.parent.mkdir(parents=True, exist_ok=True)
    libsndfile.write(np.clip(samples, -1.0, 1.0), path, sample_rate)
    return len(samples) / sample_rate


_trusts_headers: ContextVar[bool] = ContextVar("trusts_headers", default=False)


def read_duration(path: Path) -> Seconds:
    """Return the duration that the header of a file has: quick, and wrong for some lossy files.

    Raises AudioError if the file cannot be read.
    """
    source = decoding.identify(path)
    # Streams that were written as they were recorded have none.
    return source.duration or decoding.measure_duration(source)


@contextmanager
def trusting_headers() -> Iterator[None]:
    """Have `measure_duration` read headers only: for estimates of a large pool within seconds."""
    token = _trusts_headers.set(True)
    try:
        yield
    finally:
        _trusts_headers.reset(token)


def measure_duration(path: Path) -> Seconds:
    """Return the duration of what can be decoded, within 0.1 s. Raises AudioError.

    Uncompressed formats have it in their header; others are searched for all their packets, unless
    it is called within `trusting_headers`.
    """
    if _trusts_headers.get():
        return read_duration(path)
    return decoding.measure_duration(decoding.identify(path))


def forget_decoded(path: Path) -> None:
    """Delete what the cache keeps of the sound of a file, which need not exist any more."""
    decoded_files.forget(path)


def count_channels(path: Path) -> int:
    """Return the number of channels of an audio file. Raises AudioError if it cannot be read."""
    return decoding.identify(path).channels


def ends_in_half_sample(path: Path) -> bool:
    """Return whether a file without a header has an odd number of bytes. Raises OSError."""
    return is_headerless(path) and path.stat().st_size % libsndfile.SAMPLE_BYTES != 0


def encode_and_decode(samples: Samples, format_name: str, subtype: str, rate: Hertz) -> Samples:
    """Return samples after a lossy codec, in memory.

    Args:
        samples: (n_samples,) at 16 kHz.
        format_name: libsndfile's name of the container, such as `OGG`.
        subtype: libsndfile's name of the codec, such as `OPUS`.
        rate: the sample rate at which the codec works.

    Returns:
        float32 of the same shape, at 16 kHz.
    """
    encoded = np.clip(resample(samples, SAMPLE_RATE, rate), -1.0, 1.0)
    decoded = libsndfile.encode_and_decode(encoded, format_name, subtype, round(rate))
    # Codecs pad to whole frames, and resampling rounds: the length must stay what it was.
    restored = resample(decoded[: len(encoded)], rate, SAMPLE_RATE)[: len(samples)]
    return np.pad(restored, (0, len(samples) - len(restored)))


def measure_loudness(samples: Samples) -> float:
    """Return the root mean square in decibels below full scale; digital silence is -200.

    >>> round(measure_loudness(np.full(100, 0.1, np.float32)), 1)
    -20.0
    """
    # In float64: sums of many small squares lose digits in float32.
    rms = np.sqrt(np.mean(np.square(samples, dtype=np.float64)))
    return float(20 * np.log10(rms + 1e-10))


def estimate_bandwidth(samples: Samples) -> Hertz:
    """Return the highest frequency with energy: up to 8 kHz, for a telephone about 3.4 kHz.

    It is where the mean power spectrum is last within 50 dB of its peak, as in the bandwidth
    estimation of NVIDIA's Speech Data Processor; in steps of 31 Hz. Digital silence has 0.0.

    Args:
        samples: float32, (n_samples,), at 16 kHz.
    """
    # A DC offset, as of cheap sound cards, would be taken for the peak of the spectrum.
    centered = np.pad(samples - samples.mean(), (0, max(0, FRAME - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(centered, FRAME)[::HOP]  # (frames, FRAME)
    power = np.square(np.abs(np.fft.rfft(frames * np.blackman(FRAME)))).mean(axis=0)  # (bins,)
    threshold = power.max() * 10 ** (-MAX_DECIBELS_BELOW_PEAK / 10)
    loud_bins = np.flatnonzero(power > threshold)
    return float(loud_bins[-1] * SAMPLE_RATE / FRAME) if len(loud_bins) else 0.0
