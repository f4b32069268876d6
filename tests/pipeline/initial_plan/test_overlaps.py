"""Held-out speech in other recordings: left out of the plan, as a round would refuse it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from twister_loop.audio import io as audio
from twister_loop.pipeline.initial_plan import overlaps

from .folders import draft, names, transcribe

RATE = 16000


def speak(seconds: float, seed: int) -> np.ndarray:
    """Return syllables of noise, which differ by seed as people's words do."""
    rng = np.random.default_rng(seed)
    loudness = np.repeat(rng.uniform(0.02, 0.2, round(seconds * 10)), RATE // 10)
    return (loudness * rng.normal(size=len(loudness))).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pool, and a development and a test set with nothing in common."""
    seed = 0
    for name, count in (("calls", 4), ("dev", 6), ("test", 6)):
        for file in names(count):
            seed += 1
            audio.write(speak(2.0, seed=seed), tmp_path / "in" / name / file)
        if name != "calls":
            transcribe(tmp_path / "in" / name, names(count))
    return tmp_path / "in"


def test_clips_that_were_cut_out_of_the_pool_keep_their_recording_out_of_it(folder: Path) -> None:
    clip = audio.read(folder / "dev" / "003.wav")
    rest = [speak(3.0, seed=77), clip, speak(2.0, seed=78)]
    audio.write(np.concatenate(rest), folder / "calls" / "whole.wav")
    first = draft(folder, search=True)
    [pool] = first.pool
    assert {line.path.name for line in pool.lines} == set(names(4))
    start = "recordings for the pool that hold speech of a held-out set too, in whole or in part: 1"
    assert any(remark.startswith(start) for remark in first.remarks)
    assert first.development["dev"].utterances == first.test["test"].utterances == 6


def test_of_two_held_out_sets_the_first_keeps_what_both_have(folder: Path) -> None:
    soundfile.write(folder / "test" / "002.wav", 0.5 * audio.read(folder / "dev" / "001.wav"), RATE)
    first = draft(folder, search=True)
    assert (first.development["dev"].utterances, first.test["test"].utterances) == (6, 5)
    assert "002.wav" not in {line.path.name for line in first.test["test"].lines}
    assert first.pool[0].place == folder / "calls"


def test_training_speech_is_searched_too(folder: Path) -> None:
    (folder / "train").mkdir()
    flac = folder / "train" / "a.flac"
    soundfile.write(flac, audio.read(folder / "test" / "000.wav"), RATE)
    audio.write(speak(2.0, seed=99), folder / "train" / "b.wav")
    transcribe(folder / "train", ["a.flac", "b.wav"])
    first = draft(folder, search=True)
    [human] = first.human
    assert [line.path.name for line in human.lines] == ["b.wav"]


def test_a_folder_without_overlaps_stays_as_it_is(folder: Path) -> None:
    assert draft(folder, search=True) == draft(folder)


def test_many_hours_are_left_to_the_check_before_a_round(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlaps, "MAX_HOURS", 0.0)
    monkeypatch.setattr(overlaps, "RecordingIndex", None)
    assert any("were not searched" in remark for remark in draft(folder, search=True).remarks)
