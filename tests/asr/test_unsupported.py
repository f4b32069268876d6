"""What the recognizers cannot transcribe, by duration and language."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.asr.from_scratch.tiny_models import tiny_recognizer
from twister_loop import Checkpoint, ConfigError, Utterance, load, next_round
from twister_loop.asr._base import Recognizer
from twister_loop.audio import io as audio

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model


@pytest.mark.parametrize("engine", ["whisper", "ctranslate2"])
def test_whisper_supports_its_languages_and_any_length(
    tiny_whisper: Checkpoint, untimed_whisper: Checkpoint, engine: str
) -> None:
    pytest.importorskip(engine if engine == "ctranslate2" else "torch")
    reason = Recognizer.build({"use": engine}).unsupported_reason(tiny_whisper)
    assert reason(Utterance(id="a", lang="it", duration=30.0)) is None
    assert reason(Utterance(id="a", duration=1.0)) is None
    assert reason(Utterance(id="a", lang="it", duration=31.0)) is None
    assert "no language 'ko'" in (reason(Utterance(id="a", lang="ko", duration=1.0)) or "")
    without_timestamps = Recognizer.build({"use": engine}).unsupported_reason(untimed_whisper)
    assert without_timestamps(Utterance(id="a", lang="it", duration=30.0)) is None
    long = Utterance(id="a", lang="it", duration=31.0)
    assert "no timestamps in its vocabulary" in (without_timestamps(long) or "")
    by_segments = Recognizer.build({"use": engine, "long_form": "segments"})
    assert by_segments.unsupported_reason(untimed_whisper)(long) is None


def test_a_model_from_scratch_supports_all_but_the_shortest_clips() -> None:
    recognizer = tiny_recognizer("conformer")
    reason = recognizer.unsupported_reason(recognizer.initial_checkpoint())
    assert reason(Utterance(id="a", lang="ko", duration=60.0)) is None
    assert "25 ms" in reason(Utterance(id="a", duration=0.02))


def test_a_recording_over_thirty_seconds_is_no_set_of_deletions(
    world: Path, tmp_path: Path, tiny_whisper: Checkpoint
) -> None:
    path = tmp_path / "data" / "test" / "long.wav"
    audio.write(np.random.default_rng(0).normal(0, 0.1, 31 * 16000).astype("f4"), path)
    with (tmp_path / "data" / "test" / "metadata.jsonl").open("a") as lines:
        lines.write(json.dumps({"file_name": "long.wav", "text": "a long story"}) + "\n")
    plan = load(world, {"asr": {"use": "whisper", "model": str(tiny_whisper.location)}})
    with pytest.raises(ConfigError, match=r"test\.test: .*long\.wav .*longer than the 30 s"):
        next_round(plan, tmp_path / "run")
