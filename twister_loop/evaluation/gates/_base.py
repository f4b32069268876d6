"""What a gate is to the rest of the house."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar

from ...core.registry import Part
from ...core.types import Objection, SetKind
from ..evidence import Evidence


class Gate(Part):
    """Objects to a candidate.

    One that has an option `sets` looks at those alone; the plan checks that they exist.
    """

    package = "twister_loop.evaluation.gates"
    needs_labeler_report: ClassVar[bool] = False
    """Whether it wants to see what the plan's labeler makes of the candidate's weights."""

    @abstractmethod
    def objection(self, evidence: Evidence) -> Objection | None:
        """Why this candidate must be refused, or None to accept it."""

    def preflight_warnings(self, sets: Mapping[str, tuple[SetKind, int]]) -> Iterator[str]:
        """What sets of so many reference words cannot decide, whatever will be trained."""
        yield from ()
