"""Decisions of people on clips: `annotations.jsonl` in the folder of a set, which only grows.

The file is the record, and the set is written from it. Each line is on the disk before anything
else happens, so a kill loses at most the clip on the screen.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ...core import schema
from ...core.errors import ConfigError, TwisterError
from ...core.forgotten import DIGEST_LENGTH, Span
from ...core.locks import exclusive_lock
from ...core.types import Language, Seconds

RECORD, LOCK = "annotations.jsonl", ".annotations.lock"
Outcome = Literal["accepted", "unusable", "later", "withdrawn", "settled"]
UNUSABLE_REASONS = (
    "nobody speaks",
    "cannot be understood",
    "another language",
    "several people at once",
    "cut off or damaged",
    "private",
)
"""Reasons that the page offers, in the order of their keys."""


class StaleDecision(TwisterError):  # noqa: N818  (the clip was decided in another tab)
    """Decision on a clip that was decided meanwhile, in another tab or by another person."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a person decided on a clip: a line of the record."""

    id: str
    """Id of the clip, which begins with the digest of its recording."""
    outcome: Outcome
    """`later` puts the clip at the end, `withdrawn` undoes the decision before, and `settled` is
    the text that two people agreed on."""
    by: str
    """Name of the person."""
    when: str
    """ISO 8601, with the offset from UTC."""
    text: str = ""
    reason: str = ""
    """Why a clip is unusable."""
    second: bool = False
    """True if the person transcribed again what somebody else had, without seeing it."""
    suggestion: str | None = None
    """Text that was shown; None if there was none."""
    offset: Seconds = 0.0
    duration: Seconds = 0.0
    channel: int | None = None
    lang: Language | None = None
    speaker: str | None = None

    @property
    def recording(self) -> str:
        """Return the digest of the recording."""
        return self.id[:DIGEST_LENGTH]

    @property
    def span(self) -> Span:
        """Return the part of the recording."""
        return Span(self.offset, round(self.offset + self.duration, 3), self.channel)


@dataclass
class ClipHistory:
    """All decisions on one clip, in order."""

    decisions: list[Decision] = field(default_factory=list)

    @property
    def first(self) -> Decision | None:
        """Return the last decision of those who transcribe for the set; None if it is open."""
        main = [decision for decision in self.decisions if not decision.second]
        last = main[-1] if main else None
        return None if last is None or last.outcome == "withdrawn" else last

    @property
    def reference(self) -> Decision | None:
        """Return the decision whose text is the reference; None if the clip is not in the set."""
        last = self.first
        return last if last and last.outcome in ("accepted", "settled") else None

    def transcript_by(self, name: str, *, second: bool) -> Decision | None:
        """Return the last decision of a person, who is the first or the second one."""
        # What was settled is nobody's own transcript: agreement is measured without it.
        own = [
            decision
            for decision in self.decisions
            if decision.by == name and decision.second == second and decision.outcome != "settled"
        ]
        return own[-1] if own and own[-1].outcome != "withdrawn" else None

    def revision(self, name: str, *, second: bool) -> int:
        """Return the number of decisions that a new one could overwrite."""
        if second:
            return sum(1 for line in self.decisions if line.second and line.by == name)
        return sum(1 for line in self.decisions if not line.second)


class DecisionLog:
    """The record of one set, shared by all who write to it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / RECORD
        self._size, self._decisions = -1, list[Decision]()

    def read(self) -> Sequence[Decision]:
        """Return all decisions, in order.

        Raises:
            ConfigError: A line cannot be read.
        """
        size = self.path.stat().st_size if self.path.is_file() else 0
        if size != self._size:
            self._decisions, self._size = read_decisions(self.path), size
        return self._decisions

    def histories(self) -> dict[str, ClipHistory]:
        """Return the decisions by clip, in the order in which clips were decided first."""
        return group_by_clip(self.read())

    def locked(self) -> AbstractContextManager[None]:
        """Return a context in which no other tab or person writes to the record or the set."""
        return exclusive_lock(self.folder / LOCK, wait=True)

    def append(self, decision: Decision, revision: int) -> None:
        """Append a decision, and return when it is on the disk. Call it while it is `locked`.

        Args:
            decision: The decision.
            revision: Number of decisions that the person has seen of this clip.

        Raises:
            StaleDecision: There are more by now, in another tab or by another person.
        """
        history = self.histories().get(decision.id, ClipHistory())
        if history.revision(decision.by, second=decision.second) != revision:
            last = [line for line in history.decisions if line.second == decision.second][-1]
            raise StaleDecision(
                f"this clip was decided meanwhile by {last.by} ({last.outcome}"
                f"{f': {last.text}' if last.text else ''}); nothing was overwritten"
            )
        line = f"{schema.to_json_line(decision)}\n".encode()
        with self.path.open("ab") as record:
            # What a kill left of a line would spoil the one that follows it.
            record.truncate(_end_of_last_line(self.path))
            record.write(line)
            record.flush()
            os.fsync(record.fileno())


def read_decisions(path: Path) -> list[Decision]:
    """Return the decisions of a record; a last line that a kill cut off is passed over.

    Raises:
        ConfigError: Another line cannot be read.
    """
    if not path.is_file():
        return []
    # The last part is empty, or has no line end and was cut off.
    lines = path.read_bytes().split(b"\n")[:-1]
    decisions = []
    for number, line in enumerate(lines, 1):
        try:
            decisions.append(schema.parse_json(Decision, line))
        except ValueError as cause:
            raise ConfigError(
                f"{path}:{number}: cannot be read ({cause}); restore the file from a backup, or "
                "delete this line to have its clip transcribed again"
            ) from cause
    return decisions


def group_by_clip(decisions: Iterable[Decision]) -> dict[str, ClipHistory]:
    """Return decisions by clip, in the order in which clips were decided first."""
    histories = defaultdict[str, ClipHistory](ClipHistory)
    for decision in decisions:
        histories[decision.id].decisions.append(decision)
    return dict(histories)


def _end_of_last_line(path: Path) -> int:
    """Return the number of bytes of the whole lines of a file."""
    return path.read_bytes().rfind(b"\n") + 1
