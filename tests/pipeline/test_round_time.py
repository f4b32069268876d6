"""The expected time of a round: only rates that were measured, and the rest by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from twister_loop import load
from twister_loop.asr._gpu import Gpu
from twister_loop.pipeline import round_time
from twister_loop.pipeline.forecast import make_forecast
from twister_loop.pipeline.round_time import RoundTime
from twister_loop.tts.kokoro import KokoroSynthesizer

from .test_plan import changed


def time_of(world: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> RoundTime:
    # A machine of its own kind could have a GPU.
    monkeypatch.setattr(round_time, "find_gpu", lambda: None)
    return make_forecast(load(changed(world, **changes))).time


def test_a_recognizer_without_measured_rates_is_named(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = time_of(world, monkeypatch)
    assert not time.seconds and time.unknown == ("no rate was measured for toy of this size",)


@pytest.mark.model
def test_voices_have_the_measured_time_of_their_steps(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("TTS")
    voices = {
        "letters": {"use": "speedy_speech", "steps": 4000},
        "small": {"use": "speedy_speech", "hidden": 16},
        "many": "vits",
        "words": "concatenative",
    }
    time = time_of(world, monkeypatch, voices=voices)
    # 4,000 steps were measured in 35 minutes.
    assert time.seconds == {"training letters": pytest.approx(35 * 60, rel=0.02)}
    unknown = " ".join(time.unknown)
    assert "voices.small" in unknown and "voices.many" in unknown
    assert "letters" not in unknown and "words" not in unknown


@pytest.mark.model
def test_whisper_has_times_for_all_kinds_of_work(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = time_of(world, monkeypatch, asr={"use": "whisper", "epochs": 2}, trainings=1)
    half = time_of(world, monkeypatch, asr={"use": "whisper", "epochs": 1}, trainings=1)
    assert set(time.seconds) == {
        *("labeling", "rescoring", "checking synthetic speech", "fine-tuning", "evaluation")
    }
    assert time.seconds["fine-tuning"] == pytest.approx(2 * half.seconds["fine-tuning"])
    twice = time_of(world, monkeypatch, asr={"use": "whisper", "epochs": 1}, trainings=2)
    assert twice.seconds["fine-tuning"] == pytest.approx(time.seconds["fine-tuning"])
    assert time.unknown == ()


def test_nothing_is_told_for_a_gpu_since_nothing_was_measured_on_one(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(round_time, "find_gpu", lambda: Gpu(80 << 30, has_bfloat16=True))
    time = make_forecast(load(world)).time
    assert not time.seconds and "GPU" in time.unknown[0]


def test_a_voice_with_a_measured_rate_has_the_time_of_its_samples(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(KokoroSynthesizer, "synthesis_rate", 2.0)
    voices = {"any": {"use": "kokoro", "samples_per_text": 3}, "words": "concatenative"}
    # Two texts of 4 s, three times, twice as fast as they are heard, on two cores.
    assert time_of(world, monkeypatch, voices=voices).seconds == {"synthesizing any": 6.0}
