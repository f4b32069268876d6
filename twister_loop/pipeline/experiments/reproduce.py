"""Reproduction of a run from its own records, with a comparison of every file on disk.

On the same machine manifests, audio, weights, reports and verdicts should be equal byte for byte.
Files are compared as they lie there now, so one that was edited or damaged since is found. What was
pruned is compared by the digest that its stage recorded. Not compared are notes on how a file came
about: seconds, versions, paths, logs and decisions of people, which are copied.

Elsewhere (another processor, other versions, another number of threads) sums differ in their last
digits: look at the first file that differs, since the others may only be its consequence.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...core.artifacts import PROVENANCE, PRUNED, cache_key, find_differences
from ...core.content_check import NOTES, read_record
from ...core.differences import describe_code_change
from ...core.digests import digest_path
from ...core.environment import Environment
from ...core.errors import ConfigError, NothingNew
from ...core.forgotten import read_requests, write_requests
from ...core.schema import to_json_data
from ...core.scratch import is_hidden
from ..loop import next_round
from ..plan import Plan
from ..plan_reader import load
from ..rollbacks import write_rollbacks
from ..run_check import NOTE, read_note
from ..run_folder import RunFolder, awaits_approval, round_number
from ..stage_table import APPROVAL, INPUTS, REPORT, position_of

UNCOMPARED = NOTES | {NOTE, "environment.json", "decoder.json"}
"""Names of files that are no results; the environments of both rounds are compared apart."""
UNCOMPARED_SUFFIXES = frozenset({".log", ".html"})


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
    pruned_count: int = 0
    """Files that are gone from one of the rounds and were recorded without a digest, as audio was
    by earlier versions, so that they cannot be compared."""

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
        if round_number(before) != index + 1:
            raise ConfigError(
                f"{run}: round {index + 1} is missing, so later rounds cannot be repeated as they "
                "were; restore its folder"
            )
        if any(round_number(before) in request.rounds for request in requests):
            raise ConfigError(
                f"{before}: speech was removed from this round on request (`twister forget`), so "
                "neither this round nor a later one can be repeated as it was"
            )
        # Rounds of an interrupted repetition are compared, not run again.
        if index >= len(repetition.finished_rounds):
            plan = load(before / "plan.yaml")
            _check_plan(plan, before)
            _copy_earlier_looks(before, into)
            try:
                next_round(plan, into)
            except NothingNew as reason:
                raise ConfigError(
                    f"{before}: cannot be repeated with the data as they are now: {reason}"
                ) from reason
        now = repetition.finished_rounds[index]
        # A person's decision cannot be computed again, so it is copied.
        if awaits_approval(now) and not awaits_approval(before):
            _copy_approval(before, now)
        comparison = _compare_rounds(before, now, index + 1)
        # Now, since the next round begins from the champion that people went back to here.
        done = [rollback for rollback in original.rollbacks if rollback.after <= index + 1]
        if done:  # also after a repetition that was interrupted between the two rounds
            write_rollbacks(done, into)
        yield comparison


def _copy_earlier_looks(before: Path, into: Path) -> None:
    """Copy what counts as looks at the held-out sets: attempts at a round that were set aside."""
    for aside in sorted(before.parent.glob(f"{before.name}.*")):
        record, copy = REPORT.path(aside) / PROVENANCE, into / aside.name
        if record.is_file() and not copy.exists():
            shutil.copytree(aside / INPUTS, copy / INPUTS)
            REPORT.path(copy).mkdir()
            shutil.copy(record, REPORT.path(copy))


def _copy_approval(before: Path, now: Path) -> None:
    # Under a hidden name first, so that an interrupted copy does not pass for a decision.
    shutil.copytree(before / "approval", now / ".approval", dirs_exist_ok=True)
    (now / ".approval").rename(now / "approval")


def _check_plan(plan: Plan, round_folder: Path) -> None:
    """Raise ConfigError if a round was not made with the plan in its folder.

    The YAML may be read differently by this version, or be the plan of a whole comparison.
    """
    made_with = read_note(round_folder)["plan"]
    differences = list(find_differences(made_with, cache_key(plan)))
    if edits := [edit for difference in differences if (edit := describe_code_change(*difference))]:
        raise ConfigError(
            f"{round_folder}: {'; '.join(edits)}; the round can be repeated with the code as it was"
        )
    if changed := [place for place, _, _ in differences]:
        raise ConfigError(
            f"{round_folder}: its plan.yaml is not the plan that it was made by "
            f"({', '.join(changed)}). It is an arm of a comparison, which is repeated by "
            "`twister compare` into another folder, or a round of another version"
        )


def _compare_rounds(before: Path, now: Path, number: int) -> Repetition:
    old_files, new_files = _read_digests(before), _read_digests(now)
    names = sorted({*old_files, *new_files}, key=_execution_order)
    unknown = {
        name
        for name in names
        if (name not in old_files and _was_pruned(before, name))
        or (name not in new_files and _was_pruned(now, name))
    }
    compared = [name for name in names if name not in unknown]
    # Shown beside the files: another version or processor explains most differences.
    machines = (to_json_data(Environment.load(round_folder)) for round_folder in (before, now))
    return Repetition(
        number=number,
        file_count=len(compared),
        differing_files=tuple(
            name for name in compared if old_files.get(name) != new_files.get(name)
        ),
        machine_differences=tuple(
            f"{place}: {old} -> {new}" for place, old, new in find_differences(*machines)
        ),
        pruned_count=len(unknown),
    )


def _read_digests(round_folder: Path) -> dict[str, str]:
    """Return the digests of all results of a round by path: of what is there, and was pruned."""
    digests = {
        path.relative_to(round_folder).as_posix(): digest_path(path)
        for path in round_folder.rglob("*")
        if path.is_file() and _is_compared(path, round_folder)
    }
    for mark in round_folder.rglob(PRUNED):
        if not is_hidden(mark, round_folder) and (mark.parent / PROVENANCE).is_file():
            folder = mark.parent.relative_to(round_folder).as_posix()
            for name, digest in read_record(mark.parent).get("content", {}).items():
                # What is on disk goes before what was recorded.
                digests.setdefault(f"{folder}/{name}", digest)
    return digests


def _is_compared(path: Path, round_folder: Path) -> bool:
    # Of another machine these differ although all results are the same.
    is_note = path.name in UNCOMPARED or path.suffix in UNCOMPARED_SUFFIXES
    is_decision = path.is_relative_to(APPROVAL.path(round_folder))
    return not (is_note or is_decision or is_hidden(path, round_folder))


def _was_pruned(round_folder: Path, name: str) -> bool:
    """Return whether a file may be missing because its artifact was pruned."""
    folders = (folder for folder in (round_folder / name).parents if folder != round_folder.parent)
    return any((folder / PRUNED).exists() for folder in folders)


def _execution_order(name: str) -> tuple[int, str]:
    """Return the place of a file in the order of the loop: the first that differs is the cause."""
    # By the table of stages and not by time, since a clock may have been set back. The plan and the
    # lists in `inputs` are no stages and come first.
    is_input = name.startswith(f"{INPUTS}/") or "/" not in name
    stages = (position_of(folder.as_posix()) for folder in PurePosixPath(name).parents)
    return (-1 if is_input else min(stages)), name
