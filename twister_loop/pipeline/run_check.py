"""Checks of a run's folder: rounds that were copied, renamed, deleted or emptied by hand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.artifacts import RUN_MARKER, find_run_root, read_json
from ..core.errors import ConfigError
from .rollbacks import Rollback
from .stage_table import CANDIDATE, VERDICT

ROUND_NAME = re.compile(r"round-\d+")
"""A round that was set aside or copied by hand has a longer name, and is no round of the run."""
ASIDE = re.compile(r"round-\d+\.aside-\d+")
NOTE = "plan.json"
"""File of a round with its plan as data, its number, its seed and the champion it began from."""
FORMAT = 3
"""Format of the run folder. 2: reports name their normalizer. 3: stages, folders and records have
their present names."""


def round_number(folder: Path) -> int:
    """Return the number of a round.

    >>> round_number(Path("runs/mine/round-07"))
    7
    """
    return int(folder.name.removeprefix("round-"))


def round_name(number: int) -> str:
    """Return the name of a round's folder.

    >>> round_name(7)
    'round-07'
    """
    return f"round-{number:02d}"


def list_rounds(run: Path) -> list[Path]:
    """Return the round folders of a run by number: as text, `round-100` is before `round-11`.

    Raises:
        ConfigError: One of them is a copy of another round, or was renamed.
    """
    folders = sorted(
        (path for path in run.glob("round-*") if ROUND_NAME.fullmatch(path.name) and path.is_dir()),
        key=round_number,
    )
    # On every listing, since a copy may appear at any time and would be read as the last round.
    for folder in folders:
        _check_name(folder)
    return folders


def list_strays(run: Path) -> Iterator[Path]:
    """Yield folders that look like rounds and are none, such as `round-01 (copy)`."""
    for path in sorted(run.glob("round-*")):
        # Rounds that were set aside are meant to be there: their reports count as looks.
        is_round = ROUND_NAME.fullmatch(path.name) and path.is_dir()
        if not is_round and not ASIDE.fullmatch(path.name):
            yield path


def read_note(folder: Path) -> Mapping[str, Any]:
    """Return the note of a round, `plan.json`.

    Raises:
        ConfigError: It is missing or damaged.
    """
    path, run = folder / NOTE, shlex.quote(str(folder.parent))
    # Never taken for an empty note: it says whether a person has to approve the candidate.
    note = read_json(path) if path.is_file() else None
    if isinstance(note, dict) and isinstance(note.get("plan"), dict):
        return note
    remedy = (
        f"restore it, or move {folder} out of the run and name the round to go on from with "
        f"`twister rollback {run} ROUND`"
        if VERDICT.path(folder).is_dir()
        else f"restore it, or set the round aside with `twister round PLAN {run} --restart`"
    )
    raise ConfigError(
        f"{path}: {'damaged' if path.is_file() else 'missing'}, so nothing tells how the round "
        f"was begun; {remedy}"
    )


def recorded_champion(run: Path) -> int:
    """Return the number of the champion's round when it was last noted in the marker; 0 for none.

    It is not read as the champion: verdicts, approvals and rollbacks decide that.
    """
    # A kill may have left a folder without the marker; it has no rounds either.
    marker = read_json(run / RUN_MARKER) if (run / RUN_MARKER).is_file() else {}
    champion = marker.get("champion", 0) if isinstance(marker, dict) else 0
    return champion if isinstance(champion, int) else 0


def check_order(run: Path, unfinished: Sequence[Path], finished: Sequence[Path]) -> None:
    """Check that only the last round of a run may be in progress.

    Raises:
        ConfigError: An earlier round has no verdict, as if it was emptied by hand.
    """
    # Stages of an earlier round would go on from a champion that came after it.
    if unfinished and finished and round_number(unfinished[0]) < round_number(finished[-1]):
        raise ConfigError(
            f"{VERDICT.path(unfinished[0])} is missing, although {finished[-1].name} was finished "
            "later; restore it, or move the round out of the run"
        )
    if len(unfinished) > 1:
        raise ConfigError(
            f"{run}: {unfinished[0].name} and {unfinished[1].name} are both unfinished, and only "
            "the last round of a run can be in progress; move one of them out of the run"
        )


def check_champion(
    run: Path,
    champion: int,
    finished: Sequence[Path],
    rollbacks: Sequence[Rollback],
    last_approved: Callable[[], bool],
) -> None:
    """Check that the champion of a run is the one that its records name.

    Args:
        run: Folder of the run.
        champion: Number of the round whose candidate the folders say is the champion; 0 for none.
        finished: Folders of all finished rounds.
        rollbacks: Rollbacks of the run.
        last_approved: Tells whether the candidate of the last finished round became the champion.

    Raises:
        ConfigError: The round that the records name is not there.
    """
    last = round_number(finished[-1]) if finished else 0
    taken_back = rollbacks[-1].after if rollbacks else 0
    recorded = recorded_champion(run)
    go_back = (
        "restore it, or name the round to go on from (0 is the untouched model): "
        f"`twister rollback {shlex.quote(str(run))} ROUND`"
    )
    # Before anything else: without its weights the run cannot go on, whatever the records say.
    if champion and not CANDIDATE.path(run / round_name(champion)).is_dir():
        missing = CANDIDATE.path(run / round_name(champion))
        raise ConfigError(f"{missing} is missing, and its weights are the champion; {go_back}")
    # Only noted as far as it matters: a last round that was refused may be deleted, and one that
    # lost its verdict is in progress again.
    folder = run / round_name(recorded)
    if recorded > taken_back and not folder.is_dir():
        raise ConfigError(f"{folder} is missing, and its candidate was the champion; {go_back}")
    if rollbacks and taken_back >= last:
        expected, source = rollbacks[-1].to, f"{run} was {rollbacks[-1]}"
    elif not finished or last_approved():
        return
    else:
        # Not kept, so its champion is still the champion. Runs of earlier versions do not name it.
        expected = read_note(finished[-1]).get("champion", champion)
        source = f"round {last} was begun from the candidate of round {expected}"
    if expected and not CANDIDATE.path(run / round_name(expected)).is_dir():
        missing = CANDIDATE.path(run / round_name(expected))
        raise ConfigError(f"{missing} is missing, and it was the champion: {source}; {go_back}")
    if expected != champion:
        raise ConfigError(
            f"{run}: {source}, but by the verdicts the champion is that of round {champion}; a "
            f"round was changed or removed by hand: {go_back}"
        )


def check_place(path: Path) -> None:
    """Check that a folder is a run, or that a new run may be made there.

    Raises:
        ConfigError: The folder holds something else, or lies inside another run.
    """
    if path.exists() and not is_run_or_empty(path):
        raise ConfigError(f"{path}: not a run, and not empty; name another folder")
    # Paths below a run are stored relative to it, and tables search all of its folders.
    outer = find_run_root(path.absolute().parent)
    if not (path / RUN_MARKER).is_file() and (outer / RUN_MARKER).is_file():
        raise ConfigError(f"{path}: inside the run {outer}; name a folder outside of it")


def is_run_or_empty(path: Path) -> bool:
    """Return whether a folder holds a run, or nothing."""
    return (path / RUN_MARKER).is_file() or _is_empty_folder(path)


def _is_empty_folder(path: Path) -> bool:
    """Return True for a folder that holds nothing, or only what a kill left of `RUN_MARKER`."""
    return path.is_dir() and {file.name for file in path.iterdir()} <= {f".{RUN_MARKER}"}


def describe_other_format(run: Path, run_format: object) -> str:
    """Return the refusal of a run of another format, with the way to go on from its champion."""
    accepted = [
        folder
        for folder in sorted(
            (path for path in run.glob("round-*") if ROUND_NAME.fullmatch(path.name)),
            key=round_number,
        )
        if (folder / "verdict" / "verdict.json").is_file()
        and not read_json(folder / "verdict" / "verdict.json").get("objections")
        and (folder / "candidate").is_dir()
    ]
    go_on = (
        f"begin a new run from its champion: `asr: {{use: whisper, model: "
        f"{(accepted[-1] / 'candidate').absolute()}}}` in the plan, and a new folder"
        if accepted
        else "it has no champion, so begin a new run in another folder"
    )
    return (
        f"{run}: a run of format {run_format}, and this version reads format {FORMAT}; {go_on}. "
        "To finish the old run, use the version named in its environment.json"
    )


def _check_name(folder: Path) -> None:
    """Check that a folder holds the round that its name says."""
    number = round_number(folder)
    # Rounds of earlier versions do not note their number; a damaged note is told by its readers.
    note = read_json(folder / NOTE) if (folder / NOTE).is_file() else {}
    noted = note.get("round", number) if isinstance(note, dict) else number
    if noted != number or folder.name != round_name(number):
        raise ConfigError(
            f"{folder} holds round {noted} under another name, as a copy does; move it out of the "
            f"run, or rename it to {round_name(noted)} if that is missing"
        )
