"""The folder of a comparison: one run for every arm and seed, below a file that names the plan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...core.artifacts import cache_key, find_differences, read_json, write_json
from ...core.digests import digest_path
from ...core.errors import ConfigError, StaleError
from ..plan import Plan
from ..run_folder import RunFolder, round_number
from ..stage_table import INPUTS
from .arms import UNTOUCHED, CompareOptions
from .growing_pool import plan_of_round

MARKER = "comparison-of.json"
"""File that marks the folder of a comparison, with what all of its arms have in common."""


def run_folder(folder: Path, arm: str, seed: int) -> Path:
    """Return the folder of an arm's run; seeds are counted from 0.

    >>> run_folder(Path("arms"), "3 rounds, from champion", 0).as_posix()
    'arms/3-rounds-from-champion-1'
    """
    # Names of arms are for people; folders get no commas or spaces, and seeds count from 1.
    return folder / f"{arm.replace(',', '').replace(' ', '-')}-{seed + 1}"


def last_round(run: Path, arm: str) -> Path:
    """Return the last finished round of an arm.

    Raises:
        ConfigError: It has none.
    """
    rounds = RunFolder.read(run).finished_rounds if run.is_dir() else []
    if not rounds:
        raise ConfigError(f"this arm needs {arm!r}, which is not finished in {run}")
    return rounds[-1]


def check_names(plans: Mapping[str, Plan]) -> None:
    """Raise ConfigError if arms cannot be told from each other, do not compare, or are none."""
    if not plans:
        raise ConfigError("arms: there is no arm to compare")
    folders: dict[str, str] = {}
    # Two arms in one folder would refuse each other's rounds after hours of training.
    for name in plans:
        folder = run_folder(Path(), name, 0).name
        if not folder[0].isalnum() or "/" in name or name == UNTOUCHED:
            raise ConfigError(
                f"arms: {name!r} is no name for an arm; begin it with a letter, use no slash, and "
                f"leave {UNTOUCHED!r} to the model that all arms start from"
            )
        if (other := folders.setdefault(folder, name)) != name:
            raise ConfigError(
                f"arms: {other!r} and {name!r} would share the folder {folder}; rename one"
            )
    first, *others = plans
    for name in others:
        if plans[name].sets != plans[first].sets:
            raise ConfigError(
                f"arms: {first!r} and {name!r} have other test sets, so their figures do not "
                "compare; give both the same `sets`"
            )


def open_folder(plan: Plan, folder: Path, options: CompareOptions) -> None:
    """Mark a new folder as that of this comparison, or check that it is.

    Raises:
        ConfigError: The folder holds something else, or cannot be made.
        StaleError: It is a comparison of another plan.
    """
    marker = folder / MARKER
    common = {"plan": cache_key(plan), "updates": options.updates, "ablation": options.ablation}
    if not marker.is_file():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            is_empty = not any(folder.iterdir())
        except OSError as cause:
            raise ConfigError(f"{folder}: no folder can be made here ({cause.strerror})") from cause
        # Half a marker is what a kill leaves of an empty folder.
        if not is_empty and {path.name for path in folder.iterdir()} != {f".{MARKER}"}:
            raise ConfigError(
                f"{folder}: not empty, and no comparison of this version; name another folder"
            )
        write_json(common, marker)
    if changed := [place for place, _, _ in find_differences(read_json(marker), common)]:
        raise StaleError(
            f"{folder} is a comparison of another plan or with other options "
            f"({', '.join(filter(None, changed)) or f'{MARKER} was edited'}); name another folder"
        )


def check_same_data(first: tuple[Plan, Path], other: tuple[Plan, Path]) -> None:
    """Check that two arms have listed the same data, where their plans name the same.

    Arms are trained for days, and a pool that grows meanwhile, or a reference that is corrected,
    would be taken for a difference between arms.

    Args:
        first: Plan and run of the arm that ran first.
        other: Plan and run of another arm.

    Raises:
        StaleError: They have not.
    """
    (first_plan, first_run), (plan, run) = first, other
    [first_round, *_] = RunFolder.read(first_run).round_folders
    first_corpora = _corpora_by_place(plan_of_round(first_plan, round_number(first_round)))
    for round_folder in RunFolder.read(run).round_folders:
        # The pool of a growing arm is compared in the round that has all of it.
        corpora = _corpora_by_place(plan_of_round(plan, round_number(round_folder)))
        for place, named in corpora.items():
            # An arm may leave out replay, or train on references: that is what it is for.
            if named != first_corpora.get(place):
                continue
            lists = (
                path / INPUTS / place / "manifest.jsonl" for path in (first_round, round_folder)
            )
            before, now = (digest_path(path) if path.is_file() else None for path in lists)
            if before != now:
                raise StaleError(
                    f"{round_folder}: {place} has changed since {first_run.name} listed it, so the "
                    "arms do not compare; restore the files and delete this round, or begin again "
                    "in another folder"
                )


def _corpora_by_place(plan: Plan) -> dict[str, object]:
    """Return what a plan names as data, by its folder below `inputs/`."""
    sets = {f"{kind}/{name}": corpus for name, (kind, corpus) in plan.sets.items()}
    lists = {"pool": plan.pool, "texts": plan.texts, "human": plan.human, "replay": plan.replay}
    return {**lists, **sets}
