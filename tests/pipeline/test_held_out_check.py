"""Held-out sets with something that no model can transcribe are refused, never scored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import soundfile

from twister_loop import Utterance, next_round
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.audio import io as audio
from twister_loop.core.manifest import Manifest
from twister_loop.errors import AudioError, ConfigError
from twister_loop.evaluation.outcomes import HeldOutSet
from twister_loop.pipeline import loop
from twister_loop.pipeline.held_out_check import check_held_out_sets
from twister_loop.pipeline.stages.evaluation import evaluate
from twister_loop.text.normalizers.basic import Basic
from twister_loop.text.normalizers.whisper_basic import WhisperBasic
from twister_loop.types import Checkpoint, Plan


@dataclass(frozen=True)
class ShortItalian(ToyRecognizer):
    """A recognizer that takes two seconds of Italian and no more."""

    def unsupported_reason(self, checkpoint: Checkpoint) -> Any:
        def reason(utterance: Utterance) -> str | None:
            if utterance.lang != "it":
                return f"no language {utterance.lang!r}"
            return "over 2 s" if utterance.duration > 2 else None

        return reason


def held_out(folder: Path, **fields: Any) -> dict[str, HeldOutSet]:
    """Return a development set of one tone of a second."""
    path = folder / "tone.wav"
    audio.write(np.full(audio.SAMPLE_RATE, 0.1, np.float32), path)
    values: dict[str, Any] = {"duration": 1.0, "text": "a", "lang": "it", "audio_filepath": path}
    speech = Manifest.write([Utterance(id="0", **{**values, **fields})], folder / "set")
    return {"dev": HeldOutSet("development", speech)}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"duration": 2.1}, r"asr: over 2 s"),
        ({"lang": "fr"}, r"asr: no language 'fr'"),
        ({"error": "no header"}, r"no header"),
    ],
)
def test_what_the_recognizer_does_not_support_refuses_the_set(
    plan: Plan, tmp_path: Path, fields: dict[str, Any], reason: str
) -> None:
    strict = replace(plan, asr=ShortItalian())
    check_held_out_sets(strict, held_out(tmp_path))
    with pytest.raises(ConfigError, match=rf"development\.dev: .*tone\.wav .*{reason}"):
        check_held_out_sets(strict, held_out(tmp_path, **fields))


def test_a_language_without_number_words_is_named_once(
    plan: Plan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    basic = replace(plan, normalizer=Basic())
    check_held_out_sets(basic, held_out(tmp_path))
    assert "number words" not in caplog.text
    check_held_out_sets(basic, held_out(tmp_path / "greek", lang="el"))
    check_held_out_sets(
        replace(plan, normalizer=WhisperBasic()), held_out(tmp_path / "g", lang="el")
    )
    assert caplog.text.count("there are no number words for el, so digits stay digits") == 1


def test_the_models_of_references_are_asked_too(plan: Plan, tmp_path: Path) -> None:
    strict = replace(plan, references={"other": ShortItalian()})
    with pytest.raises(ConfigError, match=r"references\.other: over 2 s"):
        check_held_out_sets(strict, held_out(tmp_path, duration=3.0))


def write_nan(path: Path) -> None:
    samples = np.full(16000, 0.1, np.float32)
    samples[5] = np.nan
    soundfile.write(path, samples, 16000, subtype="FLOAT")


def write_text(path: Path) -> None:
    path.write_text("this is no audio")


def write_nothing(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("spoil", [write_nan, write_text, write_nothing])
def test_an_unreadable_file_refuses_the_set_before_the_first_stage(
    plan: Plan, tmp_path: Path, spoil: Any
) -> None:
    spoil(tmp_path / "data" / "test" / "1.wav")
    with pytest.raises(ConfigError, match=r"test\.test: .*1\.wav cannot be transcribed"):
        next_round(plan, tmp_path / "run")
    assert not list((tmp_path / "run").glob("round-*"))
    with pytest.raises(ConfigError, match=r"1\.wav cannot be transcribed"):
        loop.evaluate(plan, tmp_path / "run")


@dataclass(frozen=True)
class Failing(ToyRecognizer):
    """A recognizer that cannot decode what is in a file `broken`."""

    fails: ClassVar[bool] = True

    def transcribe(self, checkpoint: Any, speech: Any) -> Any:
        for utterance in super().transcribe(checkpoint, speech):
            yield replace(utterance, pred_text=None, error="no") if self.fails else utterance


def test_an_error_of_the_engine_ends_the_evaluation_and_gives_no_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recognizer, sets = Failing(), held_out(tmp_path)
    arguments = (recognizer, recognizer.initial_checkpoint(), sets, Basic())
    with pytest.raises(AudioError, match=r"development\.dev: .*tone\.wav .*\(no\).* deletions"):
        evaluate(*arguments, out=tmp_path / "report")
    assert not (tmp_path / "report").exists()
    # What failed is transcribed again, once its cause is gone.
    monkeypatch.setattr(Failing, "fails", False)
    report = evaluate(*arguments, out=tmp_path / "report")
    assert report.scores[0].utterances == 1
