"""Room tone: the noise of a recording where nobody speaks, made for gaps between clips.

Digital silence sounds like no recording, and would tell a recognizer where clips were joined.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .io import Samples

FRAME = 512
"""Samples of the frames in which quiet moments are looked for: 32 ms."""
QUIET_PERCENTILE = 10
"""The quietest tenth of the frames is room tone: few clips are without any pause or margin."""


def make_room_tone(
    before: Samples, after: Samples, count: int, rng: np.random.Generator
) -> Samples:
    """Return noise like the quietest moments of two clips, from the one to the other.

    Args:
        before: The clip before the gap, float32 (samples,).
        after: The clip after it, float32 (samples,).
        count: Number of samples to make.
        rng: The source of random numbers.

    Returns:
        float32, (count,). Digital silence where a clip is nothing else.

    >>> hum = np.full(16_000, 0.01, np.float32) * np.tile([1, -1], 8_000).astype(np.float32)
    >>> tone = make_room_tone(hum, hum, 8_000, np.random.default_rng(1))
    >>> round(float(tone.std()), 2), tone.dtype.name
    (0.01, 'float32')
    """
    angle = np.linspace(0.0, np.pi / 2, count)
    # Of equal power in the middle, since the two are not correlated.
    tone = np.cos(angle) * _imitate(before, count, rng) + np.sin(angle) * _imitate(
        after, count, rng
    )
    return tone.astype(np.float32)


def _imitate(clip: Samples, count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return noise with the level and the spectrum of the quietest frames of a clip, (count,)."""
    padded = np.pad(clip, (0, -len(clip) % FRAME)).astype(np.float64)
    frames = padded.reshape(-1, FRAME)  # (frames, FRAME)
    levels = np.square(frames).mean(axis=1)
    # Frames of zeros are no room: encoders put them before a recording, and voices after it.
    frames, levels = frames[levels > 0], levels[levels > 0]
    if not len(frames):
        return shape_noise(np.zeros(2), count, rng)  # what the other clip draws stays the same
    quiet = frames[levels <= np.percentile(levels, QUIET_PERCENTILE)]
    window = np.hanning(FRAME)
    power = np.square(np.abs(np.fft.rfft(quiet * window))).mean(axis=0) / np.square(window).sum()
    # Noise and no loop of the quiet frames, which would be heard as a buzz.
    return shape_noise(power, count, rng)


def shape_noise(
    power: npt.NDArray[np.float64], count: int, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Return noise with a power spectrum, (count,).

    Args:
        power: Power in equally wide bins from 0 Hz to half the sample rate, (bins,); 1 everywhere
            is white noise of variance 1.
        count: Number of samples to make.
        rng: The source of random numbers.
    """
    spectrum = np.fft.rfft(rng.standard_normal(count))
    bins = np.linspace(0.0, 1.0, len(spectrum)), np.linspace(0.0, 1.0, len(power))
    return np.fft.irfft(spectrum * np.sqrt(np.interp(*bins, power)), count)
