"""Recording channels: band, spectrum, level and noise of a recording, and their transfer to speech.

A channel is what a telephone, a microphone, a room and an encoder make of a voice. Synthetic speech
has the channel of a studio, and a recognizer that learns from it learns that sound, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..core.types import Hertz
from .io import SAMPLE_RATE, Samples, estimate_bandwidth
from .room_tone import shape_noise

FRAME, HOP = 512, 256
"""Frame length and step in samples."""
BAND_CENTERS: npt.NDArray[np.float64] = 1000.0 * 2.0 ** (np.arange(-10, 10) / 3)
"""Centers of the bands: third octaves from 99 Hz to 8 kHz. Narrower ones would follow the formants
of a voice, which are no part of a channel."""
SPEECH_DECIBELS = 20.0
"""Frames at most this far below the loud ones are speech; the others are pauses and closures."""
PAUSE_DECIBELS = 15.0
"""Least distance from speech to the quietest tenth of the frames, which else is no pause."""
LOWEST_LEVEL = -60.0
"""Decibels below speech under which a band is empty: what remains there is the rounding to 16 bits,
and no speech."""
HIGHEST_GAIN, LOWEST_GAIN = 20.0, -40.0
"""Limits of a filter in decibels. A boost raises noise of the voice too, a cut does not."""
FLOOR = 1e-12
"""Power that stands for none, -120 dB: below what 16 bits can hold."""
HIGHEST_PEAK = 0.99
"""Peak to which a clip is turned down, since clipping would be another channel."""


@dataclass(frozen=True)
class ChannelMeasurement:
    """Channel of one clip, or the mean of several; all levels in decibels below full scale."""

    spectrum: tuple[float, ...]
    """Power of speech in each of `BAND_CENTERS`, relative to the level."""
    level: float
    """Power of speech."""
    bandwidth: Hertz
    """Highest frequency with energy."""
    noise: tuple[float, ...] = ()
    """Power in pauses in each of `BAND_CENTERS`; empty if there is no pause or it is digital
    silence."""


def measure_channel(samples: Samples) -> ChannelMeasurement | None:
    """Measure the channel of a clip; return None for less than a tenth of a second of sound.

    Args:
        samples: float32, (n_samples,), at 16 kHz.

    >>> rng = np.random.default_rng(1)
    >>> white = measure_channel(rng.normal(0, 0.1, 16_000).astype(np.float32))
    >>> round(white.level), max(map(abs, white.spectrum)) < 2, white.noise
    (-20, True, ())
    """
    if len(samples) < FRAME:
        return None
    window = np.hanning(FRAME)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]  # (frames, FRAME)
    # Scaled so that white noise of variance 1 has 1 in every bin.
    power = np.square(np.abs(np.fft.rfft(frames * window))) / np.square(window).sum()
    levels = power.mean(axis=1)  # (frames,)
    # Frames of zeros are no room: encoders put them before a recording, and editors after it.
    power, levels = power[levels > FLOOR], levels[levels > FLOOR]
    if len(levels) * HOP < SAMPLE_RATE / 10:
        return None
    loud = np.percentile(levels, 95)
    speech = power[levels > loud * 10 ** (-SPEECH_DECIBELS / 10)].mean(axis=0)
    quiet = power[levels <= np.percentile(levels, 10)].mean(axis=0)
    level = _to_decibels(speech.mean())
    has_pause = _to_decibels(quiet.mean()) < level - PAUSE_DECIBELS
    return ChannelMeasurement(
        spectrum=_round(np.maximum(_average_in_bands(speech) - level, LOWEST_LEVEL)),
        level=round(float(level), 1),
        bandwidth=estimate_bandwidth(samples),
        noise=_round(_average_in_bands(quiet)) if has_pause else (),
    )


def average_channels(channels: Sequence[ChannelMeasurement]) -> ChannelMeasurement:
    """Return the mean of channels in decibels, and the median of their bandwidths."""
    noises = [channel.noise for channel in channels if channel.noise]
    return ChannelMeasurement(
        spectrum=_round(np.mean([channel.spectrum for channel in channels], axis=0)),
        level=round(float(np.mean([channel.level for channel in channels])), 1),
        bandwidth=float(np.median([channel.bandwidth for channel in channels])),
        noise=_round(np.mean(noises, axis=0)) if noises else (),
    )


def measure_distance(first: ChannelMeasurement, second: ChannelMeasurement) -> float:
    """Return the root mean square difference of two spectra over the bands, in decibels.

    >>> flat = ChannelMeasurement((0.0,) * 20, -20, 8000)
    >>> measure_distance(flat, ChannelMeasurement((3.0,) * 20, -20, 8000))
    3.0
    """
    difference = np.subtract(first.spectrum, second.spectrum)
    return float(np.sqrt(np.square(difference).mean()))


def apply_channel(
    samples: Samples,
    source: ChannelMeasurement,
    target: ChannelMeasurement,
    rng: np.random.Generator,
) -> Samples:
    """Return a clip as it would sound through another channel, float32 of the same shape.

    Args:
        samples: float32, (n_samples,), at 16 kHz.
        source: The channel that clips of this voice have on average. A filter between averages is
            one for all words; from a single clip it would flatten the sounds of its words.
        target: The channel to transfer.
        rng: The source of the noise in pauses.
    """
    gains = np.clip(np.subtract(target.spectrum, source.spectrum), LOWEST_GAIN, HIGHEST_GAIN)
    # Padded, or the filter's tail at the end of the clip would be heard at its beginning.
    count = len(samples) + 2 * FRAME
    spectrum = np.fft.rfft(samples, count)
    frequencies = np.linspace(0, SAMPLE_RATE / 2, len(spectrum))
    filtered_spectrum = spectrum * 10 ** (_interpolate(gains, frequencies) / 20)
    # No limit holds above the band, where the target has nothing at all.
    filtered_spectrum[frequencies > target.bandwidth] = 0
    filtered = np.fft.irfft(filtered_spectrum, count)[: len(samples)]
    if reached := measure_channel(filtered.astype(np.float32)):
        filtered *= 10 ** ((target.level - reached.level) / 20)
    if target.noise:
        bins = np.linspace(0, SAMPLE_RATE / 2, FRAME // 2 + 1)
        power = 10 ** (_interpolate(np.array(target.noise), bins) / 10)
        filtered += shape_noise(power, len(filtered), rng)
    peak = max(float(np.abs(filtered).max()), FLOOR)
    quieter: Samples = (filtered * min(1.0, HIGHEST_PEAK / peak)).astype(np.float32)
    return quieter


def _average_in_bands(power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the mean of each band in decibels, (bands,), of a power spectrum, (bins,)."""
    frequencies = np.linspace(0, SAMPLE_RATE / 2, len(power))
    half_band = 2 ** (1 / 6)
    return np.array(
        [
            _to_decibels(power[(frequencies >= low) & (frequencies < low * half_band**2)].mean())
            for low in BAND_CENTERS / half_band
        ]
    )


def _interpolate(
    decibels: npt.NDArray[np.float64], frequencies: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return decibels in bands as a smooth curve over frequencies, along their logarithm."""
    smooth: npt.NDArray[np.float64] = np.interp(
        np.log2(np.maximum(frequencies, 1.0)), np.log2(BAND_CENTERS), decibels
    )
    return smooth


def _to_decibels(power: float) -> float:
    return float(10 * np.log10(max(float(power), FLOOR)))


def _round(decibels: npt.NDArray[np.float64]) -> tuple[float, ...]:
    # A tenth of a decibel is far below the spread of clips, and keeps the record readable.
    return tuple(round(float(level), 1) for level in decibels)
