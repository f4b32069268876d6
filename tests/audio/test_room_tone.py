"""Room tone in gaps between clips."""

import numpy as np
import pytest

from twister_loop.audio.room_tone import make_room_tone


def noise(level: float, count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, count).astype(np.float32)


def tone(before: np.ndarray, after: np.ndarray, count: int = 16_000) -> np.ndarray:
    return make_room_tone(before, after, count, np.random.default_rng(3))


def test_it_is_as_loud_as_the_quietest_moments() -> None:
    clip = noise(0.3, 32_000)
    clip[20_000:26_000] = noise(0.002, 6_000)
    assert tone(clip, clip).std() == pytest.approx(0.002, rel=0.2)


def test_it_goes_from_the_one_clip_to_the_other() -> None:
    gap_samples = tone(noise(0.1, 16_000), noise(0.01, 16_000, seed=2))
    assert gap_samples[:1_000].std() == pytest.approx(0.1, rel=0.3)
    assert gap_samples[-1_000:].std() == pytest.approx(0.01, rel=0.3)


def test_it_has_the_spectrum_of_the_room() -> None:
    hum = (0.05 * np.sin(2 * np.pi * 1_000 * np.arange(32_000) / 16_000)).astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(tone(hum, hum))))
    assert power[900:1_100].sum() > 0.95 * power.sum()


@pytest.mark.parametrize("count", [1, 2, 80, 12_345])
def test_any_length_is_made_from_any_clip(count: int) -> None:
    for clip in (noise(0.1, 1), noise(0.1, 700), np.zeros(1_000, np.float32)):
        gap_samples = tone(clip, clip, count)
        assert (
            gap_samples.shape == (count,)
            and gap_samples.dtype == np.float32
            and np.isfinite(gap_samples).all()
        )


def test_padding_with_zeros_is_no_room() -> None:
    clip = np.concatenate([np.zeros(8_000, np.float32), noise(0.01, 16_000)])
    assert tone(clip, clip).std() == pytest.approx(0.01, rel=0.2)
    silent = np.zeros(8_000, np.float32)
    assert not tone(silent, silent).any()
