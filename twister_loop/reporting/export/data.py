"""The training data of a champion as a folder of audio with a table, for any other program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...audio import io as audio
from ...core.errors import AudioError, ConfigError
from ...core.manifest import Manifest
from ...core.progress import show_progress
from ...core.types import Utterance
from ...pipeline.stage_table import MIXTURE

FIELDS = "id text speechless origin lang speaker duration confidence made_by".split()
"""Fields of an utterance that become columns."""


def export_training_data(round_folder: Path, folder: Path) -> str:
    """Copy every utterance of a round's mixture as FLAC, 16 kHz, with its metadata.

    A plan reads it with `{use: audiofolder, folder: FOLDER/train}` or with
    `{use: huggingface, folder: FOLDER}`. `datasets.load_dataset("audiofolder", data_dir=FOLDER)`
    does where torchcodec can be imported, which `twister doctor` checks.

    Returns:
        A line that says what was written, and how it is read.

    Raises:
        ConfigError: None of the recordings exists any more.
    """
    mixture = Manifest.load(MIXTURE.path(round_folder))
    # A mixture may repeat an utterance, to give it more weight: the audio is written once, and the
    # metadata as often as it was trained on.
    written, unreadable = set[str](), 0
    split = folder / "train"
    split.mkdir(parents=True)
    with (split / "metadata.jsonl").open("w", encoding="utf-8") as metadata:
        for utterance in show_progress(mixture, "copying training data", len(mixture)):
            name = f"audio/{_file_name(utterance)}.flac"
            if name not in written:
                try:
                    audio.write(audio.load_utterance(utterance), split / name)
                except AudioError:
                    # The pool lies outside the run; what was moved since is left out.
                    unreadable += 1
                    continue
                written.add(name)
            metadata.write(json.dumps(_metadata(utterance, name), ensure_ascii=False) + "\n")
    if not written:
        raise ConfigError(
            f"{mixture.path}: none of its {unreadable} recordings can be read any more, so there "
            "is nothing to export; were they moved or deleted?"
        )
    missing = f", {unreadable} could not be read" if unreadable else ""
    return (
        f"data: {len(written)} utterances in {folder}{missing}; a plan reads them with "
        f"{{use: audiofolder, folder: {split}}}"
    )


def _metadata(utterance: Utterance, file_name: str) -> dict[str, Any]:
    # Every line has every field, because `datasets` takes the columns from the first line.
    return {"file_name": file_name, **{field: getattr(utterance, field) for field in FIELDS}}


def _file_name(utterance: Utterance) -> str:
    """Return the id with characters replaced that a file name cannot contain everywhere."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in utterance.id)
