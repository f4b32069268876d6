"""Default learning rate of Whisper's training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.asr.whisper.builders import build_trainable, read_json_lines
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model


@pytest.mark.parametrize(
    ("width", "expected_rate", "expected_reason"),
    [
        (384, 3e-5, "tiny was trained; this model has the width of tiny"),
        (512, 2e-5, "base was"),
        (768, 1e-5, "small was"),
        (1024, 5e-6, "medium was"),
        (1280, 4e-6, "large was"),
        (32, 3e-5, "tiny was trained; this model is nearest in width to tiny"),
    ],
)
def test_the_default_rate_depends_on_the_size(
    width: int, expected_rate: float, expected_reason: str
) -> None:
    from transformers import WhisperConfig

    from twister_loop.asr.whisper.learning_rate import peak_learning_rate

    config = WhisperConfig(d_model=width)
    options: Any = build_trainable(learning_rate=None)
    rate, reason = peak_learning_rate(options, config)
    assert rate == pytest.approx(expected_rate) and expected_reason in reason
    assert peak_learning_rate(replace(options, learning_rate=7e-6), config)[0] == 7e-6
    assert peak_learning_rate(replace(options, lora=4), config)[0] == 1e-3


def test_training_logs_the_rate_with_its_reason_and_uses_it(
    tiny_whisper: Checkpoint,
    clips: list[Utterance],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    training_set = Manifest.write(clips[:8], tmp_path / "filtered_labels")
    recognizer = build_trainable(batch=4, learning_rate=None, epochs=1, warmup=0.5)
    with caplog.at_level("INFO"):
        recognizer.train(tiny_whisper, training_set, tmp_path / "out", 1)
    assert "peak learning rate 3e-05: a fiftieth of 0.0015" in caplog.text
    first_line = read_json_lines(tmp_path / "out/training.jsonl")[0]
    assert first_line["learning_rate"] == pytest.approx(3e-5)
