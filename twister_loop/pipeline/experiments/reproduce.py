"""Does the same give the same again? A run is done anew from its own notes, and compared.

On the same machine every manifest, every weight and every verdict should be equal byte for byte.
Elsewhere (another processor, other versions, another number of threads) sums end otherwise in
their last digits: what differs first is then worth a look, and what follows is its consequence.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...core.artifacts import PROVENANCE, cache_key, find_differences, read_json
from ...core.environment import Environment
from ...core.errors import ConfigError
from ...core.schema import to_json_data
from ..loop import next_round
from ..plan import Plan
from ..plan_reader import load
from ..run_folder import RunFolder, awaits_approval


@dataclass(frozen=True)
class Repetition:
    """One round and its repetition."""

    number: int
    file_count: int
    """That were compared."""
    differing_files: tuple[str, ...]
    """Files that are not the same, or that only one of the two has, in the order of the loop."""
    machine_differences: tuple[str, ...]
    """What differs between the machines, as `place: before -> now`."""

    @property
    def is_identical(self) -> bool:
        return not self.differing_files


def reproduce(run: Path, into: Path) -> Iterator[Repetition]:
    """Do every finished round again, in a run of its own that can be interrupted like any other.

    Raises ConfigError where there is nothing to repeat, or where it must not be written.
    """
    ledger = RunFolder.read(run)
    if not ledger.finished_rounds:
        raise ConfigError(f"{run}: no round is finished, so there is nothing to repeat")
    if into.resolve() == run.resolve():
        raise ConfigError(f"{into}: a run cannot be repeated into itself")
    again = RunFolder.open(into)
    for place, before in enumerate(ledger.finished_rounds):
        if place >= len(again.finished_rounds):
            plan = load(before / "plan.yaml")
            _check_plan(plan, before)
            next_round(plan, into)
        now = again.finished_rounds[place]
        if awaits_approval(now) and not awaits_approval(
            before
        ):  # a person's word is not computed again
            shutil.copytree(before / "approval", now / ".approval", dirs_exist_ok=True)
            (now / ".approval").rename(now / "approval")
        yield _compared(before, now, place + 1)


def _check_plan(plan: Plan, at: Path) -> None:
    """The YAML may have been read by another version, or be that of a whole comparison."""
    made_by = read_json(at / "plan.json")["plan"]
    if changed := [place for place, _, _ in find_differences(made_by, cache_key(plan))]:
        raise ConfigError(
            f"{at}: its plan.yaml is not the plan that it was made by ({', '.join(changed)}): an "
            "arm of a comparison, which is repeated by comparing into another folder, or a round "
            "of another version"
        )


def _compared(before: Path, now: Path, number: int) -> Repetition:
    was, made = _contents(before), _contents(now)
    differing = [name for name in {**was, **made} if was.get(name) != made.get(name)]
    machines = (to_json_data(Environment.load(each)) for each in (before, now))
    return Repetition(
        number=number,
        file_count=len({**was, **made}),
        differing_files=tuple(differing),
        machine_differences=tuple(
            f"{place}: {old} -> {new}" for place, old, new in find_differences(*machines)
        ),
    )


def _contents(at: Path) -> dict[str, str]:
    """The digest of every result of a round, by its path, in the order in which they were made."""
    notes = sorted(at.rglob(PROVENANCE), key=lambda note: note.stat().st_mtime)
    return {
        f"{note.parent.relative_to(at).as_posix()}/{file}": digest
        for note in notes
        for file, digest in read_json(note)["content"].items()
    }
