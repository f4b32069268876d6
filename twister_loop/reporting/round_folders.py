"""Places in the folder of a round that the reporting room looks into, from the table of stages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TypeVar

from ..core.artifacts import JsonRecord
from ..core.errors import ConfigError
from ..core.scratch import COPY_SUFFIX
from ..pipeline.stage_table import STAGES, VOICE, StageEntry, position_of

R = TypeVar("R", bound=JsonRecord)

VOICES = PurePosixPath(VOICE.folder).parts[0]
"""Folder of a round that holds one folder for each voice."""
MANIFEST = "manifest.jsonl"
REJECTED = "rejected"
"""Folder inside a filter stage: the utterances that its filters rejected."""
TRAINING_LOG = "training.jsonl"
"""Log of a training: one line of JSON with `step` and `loss` for each update."""
EARLY_STOPPING_LOG = "stopping.jsonl"
"""Log of early stopping: one line with `step`, `errors` and `of` for each evaluation."""


def load_if_written(kind: type[R], folder: Path) -> R | None:
    """Load the record of a stage; None if the stage has not written it (yet).

    Raises:
        ConfigError: The file exists and cannot be read.
    """
    try:
        return kind.load(folder)
    except ConfigError as error:
        # Not tested with is_file() before: a stage may finish, or be set aside, in between.
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise


def voice_folders(round_folder: Path) -> list[Path]:
    """Return the folders of a round's voices, sorted by name."""
    return sorted(path for path in (round_folder / VOICES).glob("[!.]*") if path.is_dir())


def stages_in_progress(round_folder: Path, marker: str) -> Iterator[Path]:
    """Yield the hidden folders of stages that were begun and are not finished.

    Args:
        round_folder: Folder of the round.
        marker: A file that every stage writes when it begins.
    """
    for pattern in sorted({_parent_pattern(stage) for stage in STAGES}):
        # A stage works in `.NAME` and is renamed to `NAME` when it is finished.
        for folder in round_folder.glob(f"{pattern}/.*"):
            # A name with the suffix is a copy of an earlier result, which no stage works on.
            if not folder.name.endswith(COPY_SUFFIX) and (folder / marker).is_file():
                yield folder


def execution_order(folder: Path, round_folder: Path) -> int:
    """Return the position of a stage's folder in the order in which the loop runs the stages.

    The stages of all voices share one position, because the loop finishes one voice before it
    begins the next: only the time of writing tells them apart.
    """
    relative = folder.relative_to(round_folder)
    if relative.parts[0] == VOICES:
        return STAGES.index(VOICE)
    # A folder inside a stage's folder counts as the stage itself.
    return min(position_of(path.as_posix()) for path in (relative, *relative.parents))


def _parent_pattern(stage: StageEntry) -> str:
    """Return a glob pattern for the folders in which a stage's folder may be.

    >>> _parent_pattern(VOICE)
    'voices/*'
    """
    return PurePosixPath(
        stage.folder.format(voice="*", reference="*", training="*")
    ).parent.as_posix()
