"""Rollback of a run to an older champion: recorded, checked, and without deleting anything."""

from __future__ import annotations

import logging
import shlex
from datetime import datetime
from pathlib import Path

from ..core.artifacts import PRUNED
from ..core.content_check import check_unchanged
from ..core.errors import ConfigError, TwisterError
from ..core.forgotten import check_nothing_half_removed
from ..core.scratch import full_disk_as_space_error
from .approval import current_user
from .novelty import describe_end
from .rollbacks import Rollback, write_rollbacks
from .run_check import round_name
from .run_folder import RunFolder, is_approved, round_number
from .stage_table import CANDIDATE

log = logging.getLogger(__name__)


def roll_back(
    run: Path | str,
    to: int,
    note: str = "",
    by: str | None = None,
    *,
    set_aside: bool = False,
) -> Rollback:
    """Make the candidate of an older round the champion again.

    Later rounds stay in the folder and are marked. The next round goes on from what that round
    left: its candidate, its labels and its voices.

    Args:
        run: Folder of the run.
        to: Number of an accepted round; 0 is the untouched model.
        note: Why, for the record.
        by: Name of the person; the user of this process if left out.
        set_aside: Whether to rename a round that is in progress first.

    Raises:
        ConfigError: That round was never accepted, its weights were pruned, it is the champion
            already, a round is in progress, or a candidate awaits approval.
        EditedError: Its weights are not those that were trained.
        BusyError: Another process works on this run.
    """
    run_folder = RunFolder.read(run)
    with run_folder.locked():
        check_nothing_half_removed(run_folder.path)
        # Both before anything is renamed or written, so that a refusal changes nothing.
        _check_target(run_folder, to)
        _check_nothing_pending(run_folder, to, set_aside)
        if set_aside and (aside := run_folder.set_aside()):
            log.info("moved the round in progress to %s", aside)
        rollback = Rollback(
            to=to,
            # The number before the next one, and not the last folder's: that may be missing.
            after=round_number(run_folder.next_folder()) - 1,
            by=by or current_user(),
            when=datetime.now().astimezone().isoformat(timespec="seconds"),
            note=note,
        )
        with full_disk_as_space_error(run_folder.path):
            write_rollbacks([*run_folder.rollbacks, rollback], run_folder.path)
            run_folder.note_champion()
    return rollback


def champions_to_go_back_to(run_folder: RunFolder) -> list[int]:
    """Return the numbers of accepted rounds whose weights are whole; 0 is the untouched model."""
    return [
        0,
        *(
            round_number(folder)
            for folder in run_folder.finished_rounds
            if _was_accepted(folder) and _has_weights(folder)
        ),
    ]


def _check_target(run_folder: RunFolder, to: int) -> None:
    run, finished = run_folder.path, run_folder.finished_rounds
    # Named in every refusal, so that nobody has to try numbers.
    folder = run / round_name(to)
    choices = ", ".join(map(str, champions_to_go_back_to(run_folder)))
    others = f"one can go back to {choices} (0 is the untouched model)"
    if to and folder not in finished:
        exists = folder in run_folder.round_folders
        reason = "is not finished" if exists else "does not exist"
        raise ConfigError(f"{run}: round {to} {reason}; {others}")
    if to and not is_approved(folder):
        raise ConfigError(
            f"{run}: round {to} {describe_end(run_folder, folder)}, and its candidate never was "
            f"the champion; {others}"
        )
    if to and not _has_weights(folder):
        pruned = (CANDIDATE.path(folder) / PRUNED).exists()
        reason = "were pruned (`keep` in the plan)" if pruned else "are missing"
        raise ConfigError(f"{CANDIDATE.path(folder)}: the weights of round {to} {reason}; {others}")
    # Now and not when the next round loads them, since a decision should rest on what is there.
    if to:
        check_unchanged(CANDIDATE.path(folder))
    if to == _current_champion(run_folder):
        name = f"the candidate of round {to}" if to else "the untouched model"
        raise ConfigError(f"{run}: {name} is the champion already, so there is nothing to do")


def _current_champion(run_folder: RunFolder) -> int | None:
    """Return the number of the champion's round; None if rounds that decide it are missing."""
    try:
        champion = run_folder.champion_folder
    except TwisterError:  # a rollback is the remedy that its message names
        return None
    return round_number(champion) if champion else 0


def _check_nothing_pending(run_folder: RunFolder, to: int, set_aside: bool) -> None:
    run = shlex.quote(str(run_folder.path))
    if (unfinished := run_folder.in_progress) and not set_aside:
        raise ConfigError(
            f"{run_folder.path}: {unfinished.name} is in progress and began from the present "
            f"champion; finish it, or set it aside with `twister rollback {run} {to} --set-aside`"
        )
    try:
        waiting = run_folder.awaiting_approval
    except TwisterError:  # a damaged verdict accepts nothing
        waiting = None
    if waiting:
        raise ConfigError(
            f"{run_folder.path}: the candidate of round {round_number(waiting)} awaits approval; "
            f"decide first: `twister approve {run}` or `twister refuse {run} --note REASON`"
        )


def _was_accepted(folder: Path) -> bool:
    try:
        return is_approved(folder)
    except TwisterError:  # its verdict is damaged, so it is no champion to choose
        return False


def _has_weights(folder: Path) -> bool:
    # The note of a pruned candidate stays, and only its mark tells that the weights are gone.
    candidate = CANDIDATE.path(folder)
    return (candidate / "checkpoint.json").is_file() and not (candidate / PRUNED).exists()
