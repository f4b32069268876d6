"""Tests of the warning about experimental synthesizers."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from twister_loop.asr._base import BoundRecognizer
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.pipeline.stages.voices import train_voice
from twister_loop.tts.toy import ToySynthesizer


@dataclass(frozen=True)
class UntestedSynthesizer(ToySynthesizer):
    experimental: ClassVar[str] = "nobody has listened to it"


@pytest.mark.parametrize(
    ("synthesizer", "messages"),
    [
        (ToySynthesizer(), []),
        (
            UntestedSynthesizer(),
            [
                f"voice beeps: the synthesizer {UntestedSynthesizer.name} is experimental: "
                "nobody has listened to it"
            ],
        ),
    ],
)
def test_training_an_experimental_voice_logs_a_warning_with_the_reason(
    synthesizer: ToySynthesizer,
    messages: list[str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    texts = Manifest.write([Utterance(id="a", text="hello")], tmp_path / "texts")
    champion = BoundRecognizer(ToyRecognizer(), Checkpoint("toy"))
    out = tmp_path / "beeps" / "voice"
    train_voice(synthesizer, None, texts, texts, champion, 0, out=out)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == messages
