"""Gate that rejects a candidate not shown to be as good as the champion on every set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..evidence import Evidence, Outcome
from ._noninferiority import NonInferiority


@dataclass(frozen=True)
class NoRegression(NonInferiority):
    """Gate against candidates that may be worse than the champion on some set."""

    def baseline(self, evidence: Evidence) -> Mapping[str, Outcome]:
        return evidence.champion
