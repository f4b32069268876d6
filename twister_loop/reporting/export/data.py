"""What a champion was trained on, as a folder that `datasets` reads: an audiofolder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...audio import io as audio
from ...core.errors import AudioError, ConfigError
from ...core.manifest import Manifest
from ...core.progress import show_progress
from ...core.types import Utterance

FIELDS = "id text origin lang speaker duration confidence made_by".split()


def write(at: Path, folder: Path) -> str:
    """Copy every utterance of a round's mixture as FLAC, 16 kHz, beside its metadata.

    `datasets.load_dataset("audiofolder", data_dir=folder)` reads it. Raises ConfigError where no
    audio is left.
    """
    mixture = Manifest.load(at / "mixture")
    there, gone = set[str](), 0
    split = folder / "train"
    split.mkdir(parents=True)
    with (split / "metadata.jsonl").open("w", encoding="utf-8") as lines:
        for one in show_progress(mixture, "copying speech", len(mixture)):
            name = f"audio/{_name(one)}.flac"
            if name not in there:
                try:
                    audio.write(audio.load_utterance(one), split / name)
                except AudioError:
                    gone += 1
                    continue
                there.add(name)
            lines.write(json.dumps(_row(one, name), ensure_ascii=False) + "\n")
    if not there:
        raise ConfigError(f"{mixture.path}: none of its {gone} recordings is left to be exported")
    lost = f", {gone} could not be read" if gone else ""
    return f"data: {len(there)} utterances in {folder}{lost}"


def _row(one: Utterance, name: str) -> dict[str, Any]:
    """Every line has every field: `datasets` takes the columns from the first."""
    return {"file_name": name, **{field: getattr(one, field) for field in FIELDS}}


def _name(one: Utterance) -> str:
    return "".join(each if each.isalnum() or each in "-_" else "_" for each in one.id)
