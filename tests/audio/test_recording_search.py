"""Known recordings are found in other audio, and other recordings are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.audio.test_fingerprint import babble
from tests.leak_cases import COPIES
from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.audio import recording_search
from twister_loop.audio.recording_search import RecordingIndex

RATE = audio.SAMPLE_RATE


def write(
    samples: audio.Samples,
    path: Path,
    rate: int = RATE,
    codec: tuple[str, str] = ("WAV", "PCM_16"),
) -> Utterance:
    form, subtype = codec
    soundfile.write(path, audio.resample(samples, RATE, rate), rate, format=form, subtype=subtype)
    return Utterance(id=path.stem, audio_filepath=path, duration=audio.read_duration(path))


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    folder = tmp_path_factory.mktemp("known")
    return [write(babble(seed), folder / f"{seed}.wav") for seed in range(1, 4)]


@pytest.fixture(scope="module")
def index(held_out: list[Utterance]) -> RecordingIndex:
    return RecordingIndex(held_out)


# Steady tones do not bear this change of tempo; `benchmarks/leaks.py` tries it on speech.
@pytest.mark.parametrize("name", sorted(COPIES.keys() - {"tempo + 10 %"}))
def test_a_copy_is_found(name: str, index: RecordingIndex, tmp_path: Path) -> None:
    copy = COPIES[name]
    path = tmp_path / f"copy.{copy.codec[0].lower()}"
    utterance = write(copy.change(babble(2)), path, copy.rate, copy.codec)
    assert [match.number for match in index.find(utterance)] == [1]


def test_a_recording_is_found_at_its_place_in_a_longer_one(
    index: RecordingIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_search, "BLOCK", 8.0)  # the third of them begins at 8 s
    before, after = babble(11, 9), babble(12, 3)
    longer = np.concatenate([before, 0.5 * babble(3), after])
    (match,) = index.find(write(longer, tmp_path / "longer.flac", codec=("FLAC", "PCM_16")))
    assert match.number == 2
    assert match.begin == pytest.approx(9, abs=0.5)


def test_a_stretch_is_searched_by_its_offset_alone(index: RecordingIndex, tmp_path: Path) -> None:
    longer = write(np.concatenate([babble(11, 6), babble(3)]), tmp_path / "longer.wav")
    assert not index.find(replace(longer, duration=6.0))
    (match,) = index.find(replace(longer, offset=5.0, duration=4.0))
    assert match.begin == pytest.approx(6, abs=0.3)


def test_other_recordings_are_not_found(index: RecordingIndex, tmp_path: Path) -> None:
    for seed in range(21, 29):
        assert not index.find(write(babble(seed, 4), tmp_path / f"{seed}.wav"))


def test_silence_and_hum_are_not_found(tmp_path: Path) -> None:
    times = np.arange(3 * RATE) / RATE
    hum = (0.1 * np.sin(2 * np.pi * 50 * times)).astype(np.float32)
    silence = np.zeros(3 * RATE, np.float32)
    padded = np.concatenate([silence, babble(1), silence])
    index = RecordingIndex([write(padded, tmp_path / "padded.wav")])
    for name, samples in (("silence", silence), ("hum", hum)):
        assert not index.find(write(samples, tmp_path / f"{name}.wav"))


def test_a_short_recording_is_found_at_another_level_and_rate(tmp_path: Path) -> None:
    word = babble(1)[: RATE // 2]
    index = RecordingIndex([write(word, tmp_path / "word.wav")])
    assert index.find(write(0.1 * word, tmp_path / "quiet.wav", 8_000))
    assert not index.find(write(babble(2)[: RATE // 2], tmp_path / "other.wav"))


def test_unreadable_recordings_are_neither_found_nor_an_error(tmp_path: Path) -> None:
    missing = Utterance(id="missing", audio_filepath=tmp_path / "missing.wav", duration=2.0)
    readable = write(babble(1), tmp_path / "readable.wav")
    assert not RecordingIndex([missing]).find(readable)
    assert not RecordingIndex([missing, readable]).find(missing)
    assert RecordingIndex([]).find(readable) == []


@pytest.mark.parametrize(
    ("frames_after", "flipped", "is_same"),
    # Of 32 bits in every frame: 0.22 of a whole recording, 0.16 of a part.
    [(0, 7, True), (0, 8, False), (100, 5, True), (100, 6, False)],
)
def test_the_bounds_of_differing_bits(frames_after: int, flipped: int, is_same: bool) -> None:
    rng = np.random.default_rng(5)
    size = recording_search.WINDOW
    bits = rng.integers(0, 2**32, size, dtype=np.uint32)
    after = rng.integers(0, 2**32, frames_after, dtype=np.uint32)
    held_out = np.concatenate([bits ^ np.uint32(2**flipped - 1), after])
    loud, held_out_loud = np.ones(size, bool), np.ones(len(held_out), bool)
    first = recording_search._find_same(bits, loud, held_out, held_out_loud, 0)
    assert first == (0 if is_same else None)
