"""Recording channels: what is measured of a clip, and what another clip gets of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from twister_loop.audio.io import SAMPLE_RATE, Samples, estimate_bandwidth, measure_loudness
from twister_loop.audio.recording_channel import (
    BAND_CENTERS,
    ChannelMeasurement,
    apply_channel,
    average_channels,
    measure_channel,
    measure_distance,
)

FLAT = ChannelMeasurement((0.0,) * len(BAND_CENTERS), level=-20.0, bandwidth=8000.0)


def noise(level: float, seconds: float = 2.0, seed: int = 1) -> Samples:
    count = round(seconds * SAMPLE_RATE)
    return np.random.default_rng(seed).normal(0, level, count).astype(np.float32)


def through(samples: Samples, target: ChannelMeasurement) -> Samples:
    source = measured(samples)
    return apply_channel(samples, source, target, np.random.default_rng(3))


def measured(samples: Samples) -> ChannelMeasurement:
    channel = measure_channel(samples)
    assert channel
    return channel


def cut_above(samples: Samples, hertz: float) -> Samples:
    spectrum = np.fft.rfft(samples)
    spectrum[np.linspace(0, SAMPLE_RATE / 2, len(spectrum)) > hertz] = 0
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


def test_level_and_noise_are_told_apart() -> None:
    clip = noise(0.1)
    clip[20_000:30_000] = noise(0.001)[:10_000]
    channel = measured(clip)
    assert channel.level == pytest.approx(-20, abs=0.5)
    assert np.mean(channel.noise) == pytest.approx(-60, abs=1)
    assert measured(noise(0.1)).noise == ()


def test_frames_of_zeros_are_neither_speech_nor_noise() -> None:
    clip = np.concatenate([np.zeros(20_000, np.float32), noise(0.1)])
    assert measured(clip).noise == ()
    assert measured(clip).level == pytest.approx(-20, abs=0.2)
    assert measure_distance(measured(clip), measured(noise(0.1))) < 0.3
    assert measure_channel(np.zeros(20_000, np.float32)) is None
    assert measure_channel(noise(0.1, 0.01)) is None


def test_a_clip_gets_spectrum_level_band_and_noise_of_the_channel() -> None:
    tilted = tuple(float(-2 * band) for band in range(len(BAND_CENTERS)))
    target = ChannelMeasurement(tilted, -30.0, 3500.0, noise=(-65.0,) * len(BAND_CENTERS))
    clip = noise(0.1)
    clip[20_000:30_000] = 0
    after = measured(through(clip, target))
    assert measure_distance(measured(clip), target) > 15
    in_band = BAND_CENTERS < 3000
    difference = np.subtract(after.spectrum, target.spectrum)[in_band]
    # One level is the sum of all bands, so a shift that all of them share is none of the spectrum.
    assert np.ptp(difference) < 3
    assert after.level == pytest.approx(-30, abs=0.5)
    assert np.allclose(np.array(after.noise)[in_band], -65, atol=3)


def test_nothing_is_left_above_the_band() -> None:
    target = replace(FLAT, bandwidth=3400.0)
    assert estimate_bandwidth(through(noise(0.1), target)) == pytest.approx(3400, abs=100)


def test_a_band_without_speech_is_not_raised_without_limit() -> None:
    narrow = cut_above(noise(0.1), 3400)
    widened = measured(through(narrow, FLAT))
    assert widened.spectrum[-1] < -20


def test_the_same_draw_gives_the_same_samples_and_any_length_works() -> None:
    target = replace(FLAT, noise=(-50.0,) * len(BAND_CENTERS))
    for count in (1, 511, 512, 5_001):
        clip = noise(0.1)[:count]
        first, second = (
            apply_channel(clip, FLAT, target, np.random.default_rng(3)) for _ in range(2)
        )
        assert first.tobytes() == second.tobytes()
        assert first.shape == (count,) and first.dtype == np.float32
        assert np.isfinite(first).all()


def test_a_clip_is_turned_down_rather_than_clipped() -> None:
    clip = np.zeros(16_000, np.float32)
    clip[::160] = 0.9  # a click each 10 ms, far above its mean
    loud = apply_channel(clip, FLAT, replace(FLAT, level=-3.0), np.random.default_rng(3))
    assert np.abs(loud).max() == pytest.approx(0.99)
    assert measure_loudness(loud) < -10


def test_the_mean_of_channels_is_that_of_their_decibels() -> None:
    channels = [
        ChannelMeasurement((0.0,) * 20, -10.0, 3000.0, (-50.0,) * 20),
        ChannelMeasurement((6.0,) * 20, -20.0, 4000.0),
    ]
    mean = average_channels(channels)
    assert mean == ChannelMeasurement((3.0,) * 20, -15.0, 3500.0, (-50.0,) * 20)
