"""Interface of acceptance gates."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar

from ...core.registry import Part
from ...core.types import Objection
from ..evidence import Evidence, SetSize


class Gate(Part):
    """Gate that accepts or rejects a candidate on development and retention sets.

    A gate with an option `sets` looks at those sets only; the plan checks that they exist.
    """

    package = "twister_loop.evaluation.gates"
    needs_labeler_report: ClassVar[bool] = False
    """Evaluate the candidate's weights in the plan's labeler too, for this gate."""

    @abstractmethod
    def objection(self, evidence: Evidence) -> Objection | None:
        """Return the reason for rejecting the candidate, or None to accept it."""

    def describe_sight(self, sizes: Mapping[str, SetSize]) -> Iterator[str]:
        """Yield, in sentences, what this gate will be able to tell with these sets.

        Args:
            sizes: Size of each set by name.
        """
        # A gate that compares counts directly sees them all.
        yield from ()

    def preflight_warnings(self, sizes: Mapping[str, SetSize]) -> Iterator[str]:
        """Yield a warning for every set that is too small for this gate to decide.

        Args:
            sizes: Size of each set by name.
        """
        # Most gates compare counts directly and need no minimum size.
        yield from ()
