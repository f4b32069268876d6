"""Reproduction of a run from its own records, with a comparison of every file.

On the same machine every manifest, all weights and every verdict should be equal byte for byte.
Elsewhere (another processor, other versions, another number of threads) sums differ in their last
digits: look at the first file that differs, since the others may only be its consequence.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...core.artifacts import PROVENANCE, cache_key, find_differences, read_json
from ...core.environment import Environment
from ...core.errors import ConfigError
from ...core.forgotten import read_requests, write_requests
from ...core.schema import to_json_data
from ...core.scratch import is_hidden
from ..loop import next_round
from ..plan import Plan
from ..plan_reader import load
from ..run_folder import RunFolder, awaits_approval, round_number


@dataclass(frozen=True)
class Repetition:
    """Comparison of one round with its repetition."""

    number: int
    """Number of the round, from 1."""
    file_count: int
    """Files compared."""
    differing_files: tuple[str, ...]
    """Files that differ or exist in one of the two only, in the order in which they were made."""
    machine_differences: tuple[str, ...]
    """Differences between the machines, as `place: before -> now`."""

    @property
    def is_identical(self) -> bool:
        return not self.differing_files


def reproduce(run: Path, into: Path) -> Iterator[Repetition]:
    """Run every finished round again, and yield its comparison with the original.

    Args:
        run: Folder of the run.
        into: Folder of the repetition, an ordinary run that can be interrupted and resumed.

    Raises:
        ConfigError: The run has no finished round, `into` is the run itself, or a round cannot be
            repeated from its plan alone.
    """
    original = RunFolder.read(run)
    if not original.finished_rounds:
        raise ConfigError(f"{run}: no round is finished, so there is nothing to repeat")
    if into.resolve() == run.resolve():
        raise ConfigError(f"{into}: a run cannot be repeated into itself")
    repetition = RunFolder.open(into)
    requests = read_requests(run)
    if requests:  # what people asked to have removed must not come back with the repetition
        write_requests(requests, into)
    for index, before in enumerate(original.finished_rounds):
        if any(round_number(before) in request.rounds for request in requests):
            raise ConfigError(
                f"{before}: speech was removed from this round on request (`twister forget`), so "
                "neither this round nor a later one can be repeated as it was"
            )
        # Rounds of an interrupted repetition are compared, not run again.
        if index >= len(repetition.finished_rounds):
            plan = load(before / "plan.yaml")
            _check_plan(plan, before)
            next_round(plan, into)
        now = repetition.finished_rounds[index]
        # A person's decision cannot be computed again, so it is copied.
        if awaits_approval(now) and not awaits_approval(before):
            _copy_approval(before, now)
        yield _compare_rounds(before, now, index + 1)


def _copy_approval(before: Path, now: Path) -> None:
    # Under a hidden name first, so that an interrupted copy does not pass for a decision.
    shutil.copytree(before / "approval", now / ".approval", dirs_exist_ok=True)
    (now / ".approval").rename(now / "approval")


def _check_plan(plan: Plan, round_folder: Path) -> None:
    """Raise ConfigError if a round was not made with the plan in its folder.

    The YAML may be read differently by this version, or be the plan of a whole comparison.
    """
    made_with = read_json(round_folder / "plan.json")["plan"]
    if changed := [place for place, _, _ in find_differences(made_with, cache_key(plan))]:
        raise ConfigError(
            f"{round_folder}: its plan.yaml is not the plan that it was made by "
            f"({', '.join(changed)}). It is an arm of a comparison, which is repeated by "
            "`twister compare` into another folder, or a round of another version"
        )


def _compare_rounds(before: Path, now: Path, number: int) -> Repetition:
    old_files, new_files = _read_digests(before), _read_digests(now)
    # In the order in which the original made them, so that the first difference is the cause.
    names = {**old_files, **new_files}
    # Shown beside the files: another version or processor explains most differences.
    machines = (to_json_data(Environment.load(round_folder)) for round_folder in (before, now))
    return Repetition(
        number=number,
        file_count=len(names),
        differing_files=tuple(name for name in names if old_files.get(name) != new_files.get(name)),
        machine_differences=tuple(
            f"{place}: {old} -> {new}" for place, old, new in find_differences(*machines)
        ),
    )


def _read_digests(round_folder: Path) -> dict[str, str]:
    """Return the digests of all results by path, in the order in which they were made."""
    # The records hold digests of content that were taken when it was made: no file is read again.
    finished = (
        path for path in round_folder.rglob(PROVENANCE) if not is_hidden(path, round_folder)
    )
    records = sorted(finished, key=lambda record: record.stat().st_mtime)
    return {
        f"{record.parent.relative_to(round_folder).as_posix()}/{name}": digest
        for record in records
        for name, digest in read_json(record)["content"].items()
    }
