"""What a page is told of a clip and of the work, and what it sends back."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Language, Seconds
from .decisions import Outcome


@dataclass(frozen=True)
class ClipView:
    """A clip as the page shows it."""

    id: str
    revision: int
    """Number of decisions that have been seen; a decision sends it back."""
    duration: Seconds
    peaks: tuple[int, ...]
    """Loudness of equal parts of the clip, in percent of the loudest."""
    lang: Language | None
    text: str
    """The person's own text, if there is one."""
    outcome: Outcome | None
    reason: str
    source: str
    """Name of the recording's file."""
    rounds: tuple[int, ...]
    """Rounds of the run that learned from its recording."""


@dataclass(frozen=True)
class Overview:
    """How far the work is."""

    done: int
    """Usable clips, or of a second person all that are decided."""
    wanted: int
    seconds: Seconds
    """Audio of these clips."""
    unusable: int
    later: int
    can_undo: bool
    disagreements: int
    """Clips on which two people differ, and that are not settled."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A decision as the page sends it."""

    id: str
    revision: int
    outcome: Outcome
    text: str = ""
    reason: str = ""
    suggestion: str | None = None
