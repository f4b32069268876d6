"""Whisper recognizers and models for the tests of this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twister_loop.asr._base import Recognizer
from twister_loop.core.types import Checkpoint

if TYPE_CHECKING:
    from twister_loop.asr.whisper.model import Whisper


def build_whisper(**options: Any) -> Recognizer:
    """Return a Whisper in float32, whose results are the same on every machine."""
    return Recognizer.build({"use": "whisper", "precision": "float32", **options})


def build_trainable(**options: Any) -> Recognizer:
    """Return a Whisper that trains the tiny model fast: small batches, a high learning rate."""
    defaults = {"epochs": 2, "batch": 2, "margins": [0.2, 0.6], "learning_rate": 1e-3}
    return build_whisper(**{**defaults, **options})


def load_model(checkpoint: Checkpoint) -> Whisper:
    """Load the weights in float32."""
    import torch

    from twister_loop.asr.whisper.model import Whisper

    return Whisper.load(checkpoint.location, torch.float32)


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a log."""
    return [json.loads(line) for line in path.open()]
