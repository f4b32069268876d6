"""Record of rollbacks in a run: each went back to an older champion, and none deletes a round.

A rollback to round 2 takes back all rounds after it. They stay in the folder, but the next round
goes on from what round 2 left: its candidate, its labels and its voices.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core import schema
from ..core.errors import ConfigError
from ..core.ranges import CountOrZero

ROLLBACKS = "rollbacks.jsonl"
"""File at the root of a run with one line for each rollback, in the order in which they happened.
The order is that of the lines, so that a clock that was set back changes nothing."""


@dataclass(frozen=True)
class Rollback:
    """A person's decision to go back to an older champion."""

    to: CountOrZero
    """Number of the round whose candidate is the champion again; 0 is the untouched model."""
    after: CountOrZero
    """Number of the last round that existed at that time."""
    by: str
    """Name of the person."""
    when: str
    """Time of the decision: ISO 8601, with the offset from UTC."""
    note: str = ""

    def __str__(self) -> str:
        champion = f"round {self.to}" if self.to else "the untouched model"
        note = f": {self.note}" if self.note else ""
        return f"rolled back to {champion} by {self.by} on {self.when}{note}"


def read_rollbacks(run: Path) -> tuple[Rollback, ...]:
    """Return the rollbacks of a run in their order.

    Raises:
        ConfigError: A line cannot be read, as if the file was edited or cut off.
    """
    # A line that cannot be read is not passed over: another model would be the champion.
    path = run / ROLLBACKS
    if not path.is_file():
        return ()
    rollbacks = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            rollbacks.append(schema.parse_json(Rollback, line))
        except ValueError as cause:
            raise ConfigError(
                f"{path}:{number}: cannot be read ({cause}), so nothing tells which round is the "
                "champion; restore the line, which names `to`, `after`, `by`, `when` and `note`"
            ) from cause
    return tuple(rollbacks)


def write_rollbacks(rollbacks: Iterable[Rollback], run: Path) -> None:
    """Write the record of rollbacks as a whole, by one rename."""
    lines = (
        json.dumps(schema.to_json_data(rollback), ensure_ascii=False) for rollback in rollbacks
    )
    # As a whole under another name: a full disk or a kill must not lose the earlier lines.
    scratch = run / f".{ROLLBACKS}"
    scratch.write_text("".join(f"{line}\n" for line in lines), "utf-8", "backslashreplace")
    scratch.replace(run / ROLLBACKS)


def find_standing(numbers: Sequence[int], rollbacks: Iterable[Rollback]) -> tuple[int, ...]:
    """Return the numbers of the rounds that no rollback took back.

    Args:
        numbers: Numbers of the finished rounds, ascending.
        rollbacks: In the order in which they happened.

    >>> back = Rollback(to=1, after=2, by="Ada", when="2026-11-29")
    >>> find_standing([1, 2, 3], [back])
    (1, 3)
    """
    # The rounds that stood when a round was finished, by its number; going back restores them.
    standing_after: dict[int, tuple[int, ...]] = {0: ()}
    standing: tuple[int, ...] = ()
    remaining = list(rollbacks)
    for number in numbers:
        while remaining and remaining[0].after < number:
            standing = _go_back(standing_after, remaining.pop(0).to)
        standing = standing_after[number] = (*standing, number)
    # Made after the last round: the next round will be the first to go on from them.
    for rollback in remaining:
        standing = _go_back(standing_after, rollback.to)
    return standing


def last_rollback_of(number: int, rollbacks: Sequence[Rollback]) -> Rollback | None:
    """Return the last rollback that took a round back; None if none did."""
    return next(
        (rollback for rollback in reversed(rollbacks) if rollback.to < number <= rollback.after),
        None,
    )


def _go_back(standing_after: dict[int, tuple[int, ...]], to: int) -> tuple[int, ...]:
    # The folder of that round may have been deleted by hand: then the round before it is the last
    # that is left, and `RunFolder.champion_folder` refuses to take another champion for it.
    return standing_after[max(number for number in standing_after if number <= to)]
