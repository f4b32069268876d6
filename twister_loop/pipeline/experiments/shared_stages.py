"""Stages that arms of a comparison have in common: they run once, and are copied elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from ...core.artifacts import PROVENANCE, reuse_result
from ..steps import StageRunner

P = ParamSpec("P")
R = TypeVar("R")


def share_stages(folder: Path) -> StageRunner:
    """Return a runner that copies a stage's result if another run in the folder has the same.

    Results are looked up in the same place of every round of every run below `folder`. Arguments
    are bound by name, so it does not matter whether a stage is called with keywords.
    """

    def run_stage(stage: Callable[P, R], /) -> Callable[P, R]:
        @wraps(stage)
        def run_shared(*args: P.args, **kwargs: P.kwargs) -> R:
            out = kwargs["out"]
            assert isinstance(out, Path)
            round_folder = next(parent for parent in out.parents if _is_round(parent))
            place = out.relative_to(round_folder).as_posix()
            # Only the same place is searched: a stage with another name or voice cannot be equal.
            candidates = sorted(folder.glob(f"*/round-*/{place}/{PROVENANCE}"))
            reuse_result(stage, out, candidates, *args, **kwargs)  # type: ignore[arg-type]
            # Reads the copy if there was one, and checks its inputs once more.
            return stage(*args, **kwargs)

        return run_shared

    return run_stage


def _is_round(folder: Path) -> bool:
    return folder.name.startswith("round-")
