"""What the recognizers cannot transcribe, by duration and language."""

from __future__ import annotations

import pytest

from tests.asr.from_scratch.tiny_models import tiny_recognizer
from twister_loop import Utterance
from twister_loop.asr._base import Recognizer
from twister_loop.types import Checkpoint

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
