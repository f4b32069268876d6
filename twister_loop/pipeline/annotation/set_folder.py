"""Folder of an annotated set: clips and `metadata.csv`, which a plan can name at any time.

A clip without a row would be a held-out recording without a reference, which ends a round, and a
row without a clip is only counted. So rows come before their clips and go after them.
"""

from __future__ import annotations

import csv
import io
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from ...audio import io as audio
from ...core.digests import digest_path
from ...core.errors import AudioError
from ...core.forgotten import DIGEST_LENGTH
from ...core.types import Utterance
from .decisions import ClipHistory

log = logging.getLogger(__name__)

METADATA = "metadata.csv"


def clip_path(folder: Path, clip_id: str) -> Path:
    """Return the file of a clip of the set."""
    return folder / f"{clip_id}.wav"


def cut_clip(clip: Utterance, path: Path) -> None:
    """Write a clip of the pool as a file of its own, 16 kHz mono.

    Raises:
        AudioError: It cannot be read, or its recording is another one since it was listed.
    """
    source = clip.audio_filepath
    try:
        is_same = clip.id.startswith(digest_path(source)[:DIGEST_LENGTH])
    except OSError as cause:
        raise AudioError(f"{source}: cannot be read ({cause.strerror})") from cause
    if not is_same:
        raise AudioError(f"{source}: the file changed since it was listed; start the command again")
    audio.write(audio.load_utterance(clip), path)


def prepare_clip(clip: Utterance, folder: Path) -> None:
    """Write a clip under a hidden name, so that `write_set` can make it appear. Raises AudioError.

    Nothing is done if the set has it already.
    """
    if not clip_path(folder, clip.id).is_file():
        cut_clip(clip, _hidden_path(folder, clip.id))


def write_set(folder: Path, histories: Mapping[str, ClipHistory]) -> None:
    """Make the set what the decisions say; also after a kill in the middle of it.

    Args:
        folder: Folder of the set.
        histories: All decisions on it by clip.
    """
    references = {
        clip_id: reference
        for clip_id, history in histories.items()
        if (reference := history.reference)
    }
    # Only clips that the record knows: other files of the folder are not ours.
    for clip_id in histories.keys() - references.keys():
        clip_path(folder, clip_id).unlink(missing_ok=True)
        _hidden_path(folder, clip_id).unlink(missing_ok=True)
    rows = list[dict[str, str]]()
    for clip_id, reference in references.items():
        path, hidden = clip_path(folder, clip_id), _hidden_path(folder, clip_id)
        if not (path.is_file() or hidden.is_file()):
            log.warning("%s: this clip was deleted, so the set has no row for it", path)
            continue
        row = {"file_name": path.name, "text": reference.text}
        row["lang"], row["speaker"] = reference.lang or "", reference.speaker or ""
        rows.append(row)
    table = io.StringIO()
    writer = csv.DictWriter(table, ["file_name", "text", "lang", "speaker"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    # Renamed when whole: a round may read the set at any moment.
    scratch = folder / f".{METADATA}"
    with scratch.open("w", encoding="utf-8", newline="") as file:
        file.write(table.getvalue())
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(folder / METADATA)
    for clip_id in references:
        if (hidden := _hidden_path(folder, clip_id)).is_file():
            hidden.replace(clip_path(folder, clip_id))


def _hidden_path(folder: Path, clip_id: str) -> Path:
    return folder / f".{clip_id}.wav"
