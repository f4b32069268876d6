"""The same recording is known again, and another is not taken for it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from twister_loop import Utterance
from twister_loop.audio import fingerprint
from twister_loop.audio import io as audio

RATE = audio.SAMPLE_RATE


def babble(seed: int, seconds: int = 3) -> audio.Samples:
    """Noise whose bands come and go like those of speech."""
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


@pytest.mark.parametrize(
    ("name", "rate", "codec"),
    [("a.wav", 8_000, "PCM_16"), ("a.flac", 44_100, "PCM_16"), ("a.wav", 8_000, "ULAW"),
     ("a.ogg", 16_000, "VORBIS"), ("a.wav", 8_000, "GSM610")],
)  # fmt: skip
def test_it_is_known_again_at_another_rate_and_level_and_in_another_codec(
    name: str, rate: int, codec: str, tmp_path: Path
) -> None:
    known = clip(babble(1), tmp_path / "known.wav")
    other = clip(0.2 * babble(1), tmp_path / name, rate, codec)
    assert list(fingerprint.find_duplicates([other], [known])) == [(other, known)]


def test_another_recording_is_not_taken_for_it(tmp_path: Path) -> None:
    known = [clip(babble(seed), tmp_path / f"{seed}.wav") for seed in range(1, 8)]
    others = [clip(babble(seed), tmp_path / f"{seed}.wav") for seed in range(11, 18)]
    assert list(fingerprint.find_duplicates(others, known)) == []


def test_what_is_longer_is_not_even_read(tmp_path: Path) -> None:
    known = replace(clip(babble(1), tmp_path / "known.wav"), duration=9.0)
    assert (
        list(fingerprint.find_duplicates([clip(babble(1), tmp_path / "same.wav")], [known])) == []
    )


def test_what_cannot_be_read_or_is_too_short_is_no_double(tmp_path: Path) -> None:
    short = clip(babble(1)[: RATE // 3], tmp_path / "short.wav")
    gone = Utterance(id="gone", audio_filepath=tmp_path / "gone.wav", duration=1 / 3)
    assert list(fingerprint.find_duplicates([short, gone], [short])) == []


def test_of_short_recordings_more_must_agree_for_two_words_may_be_much_alike() -> None:
    rng = np.random.default_rng(3)
    for frames, alike in ((fingerprint.MIN_FRAMES - 1, False), (fingerprint.MIN_FRAMES, True)):
        one = rng.random((frames, 32)) < 0.5
        other = one ^ (rng.random(one.shape) < 0.15)
        assert fingerprint.is_same_recording(one, one)
        assert fingerprint.is_same_recording(one, other) == alike


def test_a_short_word_is_known_again_at_another_rate_and_level(tmp_path: Path) -> None:
    known = clip(babble(1)[: RATE * 9 // 10], tmp_path / "known.wav")
    other = clip(0.2 * babble(1)[: RATE * 9 // 10], tmp_path / "other.flac", 8_000)
    assert list(fingerprint.find_duplicates([other], [known])) == [(other, known)]
