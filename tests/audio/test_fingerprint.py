"""Fingerprints find the same recording again, and tell different ones apart."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from twister_loop import Utterance
from twister_loop.audio import fingerprint
from twister_loop.audio import io as audio

RATE = audio.SAMPLE_RATE


def babble(seed: int, seconds: int = 3) -> audio.Samples:
    """Return noise whose bands rise and fall as those of speech do."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    bands = sum(
        np.sin(2 * np.pi * (pitch * time + rng.uniform()))
        * np.interp(time, np.arange(0, seconds + 1, 0.2), rng.uniform(0, 1, int(seconds * 5) + 5))
        for pitch in np.geomspace(200, 3_500, 60)
    )
    return (0.01 * np.asarray(bands)).astype(np.float32)


def clip(samples: audio.Samples, path: Path, rate: int = RATE, codec: str = "PCM_16") -> Utterance:
    soundfile.write(path, audio.resample(samples, RATE, rate), rate, subtype=codec)
    return Utterance(id=path.stem, audio_filepath=path, duration=audio.read_duration(path))


def are_same(utterance: Utterance, other: Utterance) -> bool:
    return fingerprint.is_same_recording(
        fingerprint.read_fingerprint(utterance), fingerprint.read_fingerprint(other)
    )


@pytest.mark.parametrize(
    ("name", "rate", "codec"),
    [("a.wav", 8_000, "PCM_16"), ("a.flac", 44_100, "PCM_16"), ("a.wav", 8_000, "ULAW"),
     ("a.ogg", 16_000, "VORBIS"), ("a.wav", 8_000, "GSM610")],
)  # fmt: skip
def test_a_recording_is_found_at_another_rate_and_level_and_in_another_codec(
    name: str, rate: int, codec: str, tmp_path: Path
) -> None:
    original = clip(babble(1), tmp_path / "original.wav")
    converted = clip(0.2 * babble(1), tmp_path / name, rate, codec)
    assert are_same(converted, original)


def test_different_recordings_are_no_duplicates(tmp_path: Path) -> None:
    recordings = [clip(babble(seed), tmp_path / f"{seed}.wav") for seed in range(1, 8)]
    for seed in range(11, 18):
        different = clip(babble(seed), tmp_path / f"{seed}.wav")
        assert not any(are_same(different, recording) for recording in recordings)


def test_very_short_recordings_have_no_duplicates(tmp_path: Path) -> None:
    short = clip(babble(1)[: RATE // 3], tmp_path / "short.wav")
    assert not are_same(short, short)


def test_short_fingerprints_must_agree_in_more_bits() -> None:
    rng = np.random.default_rng(3)
    for frames, is_same in ((fingerprint.MIN_FRAMES - 1, False), (fingerprint.MIN_FRAMES, True)):
        bits = rng.random((frames, 32)) < 0.5
        similar = bits ^ (rng.random(bits.shape) < 0.15)
        assert fingerprint.is_same_recording(bits, bits)
        assert fingerprint.is_same_recording(bits, similar) == is_same


def test_a_short_word_is_found_at_another_rate_and_level(tmp_path: Path) -> None:
    word = babble(1)[: RATE * 9 // 10]
    original = clip(word, tmp_path / "original.wav")
    converted = clip(0.2 * word, tmp_path / "converted.flac", 8_000)
    assert are_same(converted, original)
