"""Facts about Whisper models that are told without PyTorch: from configurations and a table."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from tests.asr.whisper.builders import build_whisper
from twister_loop.asr.whisper.model_folder import ModelSizes, describe_folder
from twister_loop.asr.whisper.published import LANGUAGES, PUBLISHED
from twister_loop.core.errors import EngineError
from twister_loop.core.types import Checkpoint, Utterance

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model


def test_languages_and_default_sizes_are_those_of_transformers() -> None:
    from transformers import WhisperConfig
    from transformers.models.whisper.tokenization_whisper import LANGUAGES as CODES

    assert {*LANGUAGES, "yue"} == set(CODES)
    config = WhisperConfig()
    for size in fields(ModelSizes):
        assert getattr(config, size.name) == size.default, size.name


def test_a_folder_is_described_as_the_loaded_model_is(tiny_whisper: Checkpoint) -> None:
    from twister_loop.asr.whisper.model import WhisperProcessing

    folder = tiny_whisper.location
    described, loaded = describe_folder(folder), WhisperProcessing.from_folder(folder)
    assert described.languages == set(loaded.language_tokens) == {"en", "it", "zh"}
    assert described.has_timestamps and loaded.has_timestamps
    assert described.sizes.d_model == loaded.config.d_model == 32
    assert described.trained_margin == loaded.effective_margin(0)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("config.json", None, "it has no config.json"),
        ("config.json", "{", "config.json is not JSON"),
        ("config.json", "[]", "config.json is no table"),
        ("config.json", '{"d_model": "wide"}', "wide"),
        ("generation_config.json", None, "it has no generation_config.json"),
        ("generation_config.json", "{}", "has no 'no_timestamps_token_id'"),
        ("tokenizer.json", None, "it has no tokenizer.json"),
        ("processor_config.json", None, "it has no preprocessor_config.json"),
    ],
)
def test_a_folder_that_lacks_a_file_is_refused_with_its_name(
    tiny_whisper: Checkpoint, tmp_path: Path, name: str, content: str | None, reason: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_whisper.location, folder)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(EngineError, match="not a Whisper model that can be loaded") as error:
        describe_folder(folder)
    assert reason in str(error.value) and str(folder) in str(error.value)
    status = build_whisper(model=str(folder)).find_weights()
    # Without its configuration nothing tells a folder of Whisper from any other.
    sentence = (
        "there is no Whisper model here" if (name, content) == ("config.json", None) else reason
    )
    assert sentence in (status.problem or "")


def test_a_published_model_is_checked_before_it_is_here() -> None:
    recognizer = build_whisper(model="openai/whisper-large-v3")
    status = recognizer.find_weights()
    start = recognizer.preview_checkpoint(status)
    assert start is not None and start.source in PUBLISHED
    unsupported_reason = recognizer.unsupported_reason(start)
    assert unsupported_reason(Utterance(id="a", lang="yue")) is None
    assert "no language 'xx'" in (unsupported_reason(Utterance(id="a", lang="xx")) or "")
    # Large trains in about 25 GB at least, and writes three times its weights twice.
    assert (recognizer.memory_bytes_needed(start) or 0) > 24e9
    assert recognizer.disk_bytes_needed(start) > 7 * 6e9
    assert status.size == pytest.approx(3.09e9, rel=0.01)


def test_an_older_configuration_names_its_number_format_in_the_same_way(
    tiny_whisper: Checkpoint, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_whisper.location, folder)
    config = json.loads((folder / "config.json").read_text())
    config.pop("dtype", None)
    (folder / "config.json").write_text(json.dumps({**config, "torch_dtype": "float16"}))
    assert describe_folder(folder).dtype == "float16"
