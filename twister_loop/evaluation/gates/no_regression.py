"""Refuse a candidate of which one cannot say that no set got worse than with the champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..evidence import Evidence, Outcome
from ._noninferiority import NonInferiority


@dataclass(frozen=True)
class NoRegression(NonInferiority):
    def baseline(self, evidence: Evidence) -> Mapping[str, Outcome]:
        return evidence.champion
