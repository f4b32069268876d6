"""Removal of a recording or a speaker from a run, because somebody asked for it.

`plan_removal` finds out what would go and which models used it; `remove` does it; what an
interrupted removal left is finished by `finish_removal`. The record of `core.forgotten` keeps later
rounds from listing the speech again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ...core.errors import ConfigError
from ..approval import current_user
from ..run_folder import RunFolder
from .removal import load_unfinished, remove
from .selection import select
from .survey import Removal, survey

__all__ = ["Removal", "finish_removal", "open_run", "plan_removal", "remove"]


def open_run(path: Path) -> RunFolder:
    """Open a run; the error names the runs below a folder that is none itself.

    Raises:
        ConfigError: The folder is no run.
    """
    # Absolute, so that paths in manifests can be compared with it.
    folder = path.absolute()
    # Not at any depth: the folder may be somebody's home.
    markers = (*folder.glob("*/run.json"), *folder.glob("*/*/run.json"))
    runs = sorted(marker.parent for marker in markers)
    if runs and not (folder / "run.json").is_file():
        listed = ", ".join(run.relative_to(folder).as_posix() for run in runs)
        raise ConfigError(f"{path}: a folder of several runs; name one after another: {listed}")
    return RunFolder.read(folder)


def plan_removal(
    run_folder: RunFolder, recordings: Sequence[str], speakers: Sequence[str]
) -> Removal:
    """Find what has to go from a run, and change nothing.

    Args:
        run_folder: The run, from `open_run`.
        recordings: Paths, file names or ids of recordings.
        speakers: Names of speakers as manifests have them.

    Raises:
        ConfigError: There is no such recording or speaker in the run.
    """
    selection = select(run_folder.path, recordings, speakers)
    when = datetime.now().astimezone().isoformat(timespec="seconds")
    return survey(run_folder, selection, when, current_user())


def finish_removal(run_folder: RunFolder) -> Removal | None:
    """Finish a removal that was interrupted, and return it; None if there is none."""
    removal = load_unfinished(run_folder.path)
    if removal:
        remove(run_folder, removal)
    return removal
