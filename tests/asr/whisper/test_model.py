"""Features, tokens and encoder of a loaded Whisper."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.asr.whisper.builders import load_model
from twister_loop.audio import io as audio
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.errors import EngineError

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model


def test_a_text_without_spaces_is_split_into_characters(tiny_whisper: Checkpoint) -> None:
    whisper = load_model(tiny_whisper)
    words = [word for word, _ in whisper.tokenize_words("你好 abc吗", "zh")]
    assert words == ["你", "好", "abc", "吗"]
    assert whisper.detokenize(whisper.tokenize("你好吗", "zh")) == "你好吗"


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        ("ja", "東京タワー"),
        ("th", "สวัสดีครับ"),
        ("lo", "ສະບາຍດີ"),
        ("km", "ជំរាបសួរ"),
        ("my", "မင်္ဂလာပါ"),
    ],
)
def test_every_unspaced_language_is_split_into_characters_that_make_the_text(
    tiny_whisper: Checkpoint, lang: str, text: str
) -> None:
    whisper = load_model(tiny_whisper)
    characters = [character for character, _ in whisper.tokenize_words(text, lang)]
    # A token of several characters stays whole.
    assert "".join(characters) == text and len(characters) > len(text) / 2
    assert whisper.detokenize(whisper.tokenize(text, lang)) == text
    # The first token holds no space, with which Whisper begins texts in other languages.
    assert not whisper.tokenizer.decode(whisper.tokenize(text, lang)).startswith(" ")
    assert whisper.tokenizer.decode(whisper.tokenize(text, "it")).startswith(" ")


def test_the_encoder_for_any_length_computes_what_that_of_transformers_does(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    import torch

    whisper = load_model(tiny_whisper)
    full = whisper.extract_features([audio.load_utterance(clips[0])], 30.0)
    short = whisper.extract_features([audio.load_utterance(clips[0])], 2.0)
    assert short.shape[-1] < full.shape[-1] == 3000
    # The last frames of the short features look beyond their end.
    np.testing.assert_allclose(short[..., :-3], full[..., : short.shape[-1] - 3], atol=1e-5)
    with torch.inference_mode():
        assert whisper.encode(full).equal(whisper.model.model.encoder(full).last_hidden_state)
        assert whisper.encode(short).shape[1] == short.shape[-1] // 2
    assert whisper.model.model.encoder.embed_positions.num_embeddings == 1500


class Trap:
    """Object whose pickle makes a folder when it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("kind", ["torch", "pickle", "noise", "empty"])
def test_weights_that_could_run_code_or_are_broken_are_an_error_that_names_the_folder(
    tiny_whisper: Checkpoint, tmp_path: Path, kind: str
) -> None:
    import torch

    from twister_loop.asr.whisper.model import Whisper

    folder, sprung = tmp_path / "model", tmp_path / "sprung"
    shutil.copytree(tiny_whisper.location, folder)
    for weights in folder.glob("*.safetensors"):
        weights.unlink()
    file = folder / "pytorch_model.bin"
    if kind == "torch":
        torch.save({"weights": Trap(sprung)}, file)
    else:
        contents = {"pickle": pickle.dumps(Trap(sprung)), "noise": bytes(range(256)), "empty": b""}
        file.write_bytes(contents[kind])
    with pytest.raises(EngineError, match="not a Whisper model that can be loaded") as error:
        Whisper.load(folder, torch.float32)
    assert str(folder) in str(error.value) and not sprung.exists()


def test_code_that_a_config_points_to_is_not_run(tiny_whisper: Checkpoint, tmp_path: Path) -> None:
    import torch

    from twister_loop.asr.whisper.model import Whisper

    folder = tmp_path / "model"
    shutil.copytree(tiny_whisper.location, folder)
    (folder / "evil_mod.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n")
    for name in ("config.json", "tokenizer_config.json", "preprocessor_config.json"):
        if (folder / name).is_file():
            config = json.loads((folder / name).read_text())
            names = ("AutoConfig", "AutoModel", "AutoTokenizer", "AutoProcessor")
            config["auto_map"] = dict.fromkeys(names, "evil_mod.X")
            (folder / name).write_text(json.dumps(config))
    Whisper.load(folder, torch.float32)
    assert not (tmp_path / "sprung").exists()
