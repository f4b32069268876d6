"""Refuse a candidate of which one cannot say that it retained what the untouched model knew.

Against the untouched model and not the champion: else every round may lose a little, and after
many of them all is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..evidence import Evidence, Outcome
from ._noninferiority import NonInferiority


@dataclass(frozen=True)
class Retention(NonInferiority):
    kinds = ("retention",)

    def baseline(self, evidence: Evidence) -> Mapping[str, Outcome]:
        return evidence.untouched
