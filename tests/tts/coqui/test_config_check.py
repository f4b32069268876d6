"""Tests that a voice of an unknown source runs no code, and that a broken one is a sentence."""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("TTS")

from TTS.tts.configs.shared_configs import CharactersConfig
from TTS.tts.configs.xtts_config import XttsConfig

from twister_loop import TwisterError
from twister_loop.asr._training.checkpointing import load_resume_state
from twister_loop.errors import EngineError
from twister_loop.tts._coqui import glow_tts_model as glow
from twister_loop.tts._coqui import model_files, xtts_model
from twister_loop.tts._coqui import speedy_speech_model as speedy
from twister_loop.tts._coqui import vits_model as vits
from twister_loop.tts._coqui.config_check import check_classes
from twister_loop.tts.glow_tts import GlowTtsSynthesizer

pytestmark = pytest.mark.model


def make_glow() -> Any:
    return glow.create_model(16000, hidden=16, blocks=1, layers=1, characters=" abc")


LOADERS: dict[str, Callable[[Path], Any]] = {
    "glow_tts": glow.load_model,
    "speedy_speech": speedy.load_model,
    "vits": vits.load_model,
}


class Trap:
    """Object whose pickle makes a folder when it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """Weights of a tiny voice, with its config.json beside them."""
    (tmp_path / "voice").mkdir()
    model_files.save_model(make_glow(), tmp_path / "voice")
    return tmp_path / "voice" / "model.pth"


@pytest.fixture
def evil_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Module on the path that leaves a file when it is imported; the path of that file."""
    witness = tmp_path / "imported"
    code = (
        f"open({str(witness)!r}, 'w')\n"
        "from TTS.tts.utils.text.characters import Graphemes\n"
        "class X(Graphemes): pass\n"
    )
    (tmp_path / "evil_mod.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "evil_mod", raising=False)
    return witness


def change_config(weights: Path, changes: dict[str, Any], prefix: str = "") -> None:
    path = weights.with_name("config.json")
    config = json.loads(path.read_text())
    for place, content in changes.items():
        *parents, name = place.split(".")
        part = config
        for parent in parents:
            part = part[parent]
        part[name] = content
    # Coqui also reads JSON with comments, which the usual parser refuses.
    path.write_text(prefix + json.dumps(config))


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize("prefix", ["", "// comment\n"])
@pytest.mark.parametrize("name", ["evil_mod.X", "evil_mod", "TTS.evil_mod.X", "os.path"])
def test_a_config_that_names_a_foreign_class_is_refused_before_it_is_imported(
    voice: Path, evil_module: Path, kind: str, prefix: str, name: str
) -> None:
    change_config(voice, {"model": kind, "characters.characters_class": name}, prefix)
    with pytest.raises(EngineError, match=r"characters_class .*could run code|not of a Coqui"):
        LOADERS[kind](voice)
    assert not evil_module.exists()
    assert "evil_mod" not in sys.modules


def test_a_plan_that_starts_from_such_a_voice_is_refused_in_one_sentence(
    voice: Path, evil_module: Path
) -> None:
    change_config(voice, {"characters.characters_class": "evil_mod.X"})
    [error] = GlowTtsSynthesizer(start=voice.parent).validation_errors()
    assert "names 'evil_mod.X'" in error and not evil_module.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "evil_mod"},
        {"model": "../evil_mod"},
        {"model": "..evil_mod"},
        {"model": 7},
        {"model": None},
        {"audio": None},
        {"characters": 7},
        {"phonemizer": "evil_mod.X", "use_phonemes": True},
        {"datasets": [{"formatter": "evil_mod.X"}]},
        {"text_cleaner": "evil_mod.X"},
        {"optimizer": "evil_mod.X"},
    ],
)
def test_no_other_field_of_a_config_imports_anything(
    voice: Path, evil_module: Path, changes: dict[str, Any]
) -> None:
    change_config(voice, changes)
    try:
        glow.load_model(voice)
    except TwisterError as error:
        assert str(voice) in str(error)
    assert not evil_module.exists()


def test_an_xtts_config_is_held_to_the_same_classes(tmp_path: Path, evil_module: Path) -> None:
    config = XttsConfig(characters=CharactersConfig(characters_class="evil_mod.X"))
    with pytest.raises(EngineError, match=r"evil_mod\.X"):
        check_classes(config, tmp_path)
    config.save_json(str(tmp_path / "config.json"))
    with pytest.raises(EngineError, match=r"evil_mod\.X"):
        xtts_model.load_model(tmp_path)
    assert not evil_module.exists()


@pytest.mark.parametrize("kind", LOADERS)
def test_statistics_in_a_pickle_are_not_read(voice: Path, tmp_path: Path, kind: str) -> None:
    stats = tmp_path / "stats.npy"
    np.save(stats, np.array([Trap(tmp_path / "sprung")], dtype=object), allow_pickle=True)
    change_config(voice, {"model": kind, "audio.stats_path": str(stats)})
    with pytest.raises(TwisterError):
        LOADERS[kind](voice)
    assert not (tmp_path / "sprung").exists()


def broken_pickles(trap: Trap) -> dict[str, bytes | Any]:
    """Return files by name: bytes, or an object for torch.save."""
    return {
        "empty": b"",
        "noise": bytes(range(256)),
        "cut off": b"\x80\x04\x95",
        "stop": b"\x80\x04.",
        "deep": b"(" * 100_000 + b".",
        "number": pickle.dumps(7),
        "trap": pickle.dumps(trap),
        "trap of torch": {"model": trap, "step": 1},
        "list": [1],
        "no table": {"model": 7},
        "no tensors": {"model": {"encoder.emb.weight": 7}},
        "wrong shape": {"model": {"encoder.emb.weight": torch.zeros(1)}},
    }


@pytest.mark.parametrize("name", broken_pickles(Trap(Path())))
def test_a_broken_or_hostile_pickle_is_a_sentence_that_names_the_file(
    voice: Path, tmp_path: Path, name: str
) -> None:
    content = broken_pickles(Trap(tmp_path / "sprung"))[name]
    state = tmp_path / "resume" / "state.pt"
    state.parent.mkdir()
    for path in (voice, state):
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path)
    with pytest.raises(EngineError, match=r"model\.pth: "):
        glow.load_model(voice)
    if isinstance(content, bytes) and name != "number":
        with pytest.raises(EngineError, match=r"state\.pt: .* delete"):
            load_resume_state(tmp_path)
    assert not (tmp_path / "sprung").exists()
