"""Files of a Coqui voice, and what its configuration tells without Coqui's own classes.

A plan that continues from a voice is checked with them: importing Coqui takes seconds. The weights
are loaded through `model_files`, which checks the configuration as Coqui reads it once more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import EngineError
from .config_check import check_named_classes

CONFIG, WEIGHTS = "config.json", "model.pth"
DOWNLOADED_WEIGHTS = "model_file.pth"
"""Name that Coqui's own downloader gives to the weights."""
PUBLISHED_WEIGHTS = "model.safetensors"
"""Name of the weights of a published voice."""
NO_CONFIG = f"there is no {CONFIG} beside it, which describes the model"
NOT_A_VOICE = f"the {CONFIG} beside it is not of a Coqui voice"


def find_weights(path: Path) -> Path:
    """Return the file with the weights of a voice, given that file or its folder.

    For a folder without weights this is the path where Coqui's tools would write them.
    """
    # A voice that was trained in the folder is newer than the one it was downloaded as.
    names = (WEIGHTS, DOWNLOADED_WEIGHTS, PUBLISHED_WEIGHTS)
    existing = (path / name for name in names if (path / name).is_file())
    return next(existing, path / WEIGHTS) if path.is_dir() else path


@dataclass(frozen=True)
class PlainConfig:
    """Table of a JSON file, read by attributes as Coqui's configurations are; None if missing."""

    table: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        inner = self.table.get(name)
        return PlainConfig(inner) if isinstance(inner, dict) else inner


def read_plain_config(weights: Path) -> PlainConfig | None:
    """Return the configuration beside the weights; None if it is not plain JSON.

    Raises:
        EngineError: It is missing, describes no voice, or names code that is not Coqui's.
    """
    try:
        table = json.loads(weights.with_name(CONFIG).read_text(encoding="utf-8"))
    except ValueError:
        return None  # Coqui also reads JSON with comments
    except OSError as cause:
        raise EngineError(f"{weights}: {NO_CONFIG}") from cause
    if not isinstance(table, dict) or not isinstance(table.get("audio"), dict):
        raise EngineError(f"{weights}: {NOT_A_VOICE} (it has no `audio`)")
    if not isinstance(table.get("model_args", {}), dict):
        raise EngineError(f"{weights}: {NOT_A_VOICE} (`model_args` is no table)")
    check_named_classes(table, weights)
    return PlainConfig(table)


def explain_unfit(config: Any, kind: str) -> str | None:
    """Return why a voice cannot be trained further as a model of this kind; None if it can."""
    objections = (
        (config.model != kind, f"is a {config.model}, not a {kind}"),
        (config.use_phonemes, "reads phonemes; one that reads letters is needed"),
        (config.audio.stats_path, "needs statistics from a pickle file, which could run code"),
    )
    return _first_objection(objections)


def explain_unfit_glow_tts(config: Any) -> str | None:
    """Return why a Glow-TTS cannot be trained further; None if it reads letters as one speaker."""
    kind = "glow_tts"
    if config.model == kind and (config.use_speaker_embedding or config.use_d_vector_file):
        return "the voice has several speakers"
    return explain_unfit(config, kind)


def explain_unfit_speedy_speech(config: Any) -> str | None:
    """Return why a SpeedySpeech cannot be trained further; None if it reads letters as one."""
    if reason := explain_unfit(config, "speedy_speech"):
        return reason
    args = config.model_args or PlainConfig({})
    return _first_objection(
        (
            (args.use_speaker_embedding or args.use_d_vector_file, "has several speakers"),
            (args.use_pitch or args.use_energy, "needs pitch or energy as input"),
            # Not merely missing: Coqui's default is an aligner.
            (args.use_aligner is False, "has no aligner; it was trained with given durations"),
        )
    )


def explain_unfit_vits(config: Any) -> str | None:
    """Return why a VITS cannot be trained further; None if it reads letters in one language."""
    if reason := explain_unfit(config, "vits"):
        return reason
    args = config.model_args or PlainConfig({})
    return _first_objection(
        (
            (args.use_d_vector_file, "needs speaker vectors of another model"),
            (args.use_language_embedding, "has several languages"),
            (args.use_speaker_encoder_as_loss, "was trained with the speaker encoder of another"),
        )
    )


def _first_objection(objections: Iterable[tuple[object, str]]) -> str | None:
    """Return the first reason whose condition is true, as a sentence about the voice."""
    return next((f"the voice {reason}" for condition, reason in objections if condition), None)
