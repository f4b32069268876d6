"""Remedies for files of a run that were edited, damaged or deleted since a stage wrote them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..core.errors import EditedError
from .run_check import ROUND_NAME
from .stage_table import APPROVAL, VERDICT


@contextmanager
def edits_explained(plan: Path, run: Path) -> Iterator[None]:
    """Add the exact command that helps to the message of an `EditedError` raised inside.

    Args:
        plan: YAML file of the plan.
        run: Folder of the run.

    Raises:
        EditedError: The one that was raised, with the command.
    """
    try:
        yield
    except EditedError as error:
        if remedy := _describe_remedy(error.path, plan, run):
            raise EditedError(error.path, f"{error}, or {remedy}") from error
        raise


def _describe_remedy(path: Path, plan: Path, run: Path) -> str | None:
    # The first parent that is a round: files outside of rounds have no round to set aside.
    parents = (parent for parent in path.parents if ROUND_NAME.fullmatch(parent.name))
    round_folder = next(parents, None)
    if round_folder is None:
        return None
    plan_path, run_path = shlex.quote(str(plan)), shlex.quote(str(run))
    # A rollback reads the verdicts of rounds that stand, so this one has to go first.
    if any(path.is_relative_to(stage.path(round_folder)) for stage in (VERDICT, APPROVAL)):
        return (
            f"move {round_folder.name} out of the run and name the round to go on from with "
            f"`twister rollback {run_path} ROUND`"
        )
    if VERDICT.path(round_folder).is_dir():
        return f"go on from an older champion with `twister rollback {run_path} ROUND`"
    return (
        f"set {round_folder.name} aside and begin it again with "
        f"`twister round {plan_path} {run_path} --restart`"
    )
