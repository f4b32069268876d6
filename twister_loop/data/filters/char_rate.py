"""Drop speech that is too fast or too slow for its text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ...core.manifest import Manifest
from ...core.types import Utterance
from ._base import Filter

ENOUGH = 100
"""Utterances from which on a corpus says something about itself."""


@dataclass(frozen=True)
class CharRate(Filter):
    low: float = 2.0
    """Characters per second."""
    high: float = 30.0
    """Characters per second."""
    learned: bool = True
    """Whether the corpus may narrow these to Q1 - 1.5 IQR and Q3 + 1.5 IQR of its own (Emilia)."""

    def objection(self, utterance: Utterance) -> str | None:
        rate = len(utterance.text or "") / max(utterance.duration, 0.01)
        if self.low <= rate <= self.high:
            return None
        return f"{rate:.1f} characters a second, not {self.low:.1f} to {self.high:.1f}"

    def fit(self, manifest: Manifest) -> Self:
        rates = [len(each.text) / each.duration for each in manifest if each.text and each.duration]
        if not self.learned or len(rates) < ENOUGH:
            return self
        first, third = np.quantile(rates, [0.25, 0.75])
        spread = 1.5 * (third - first)
        return replace(
            self,
            low=max(self.low, float(first - spread)),
            high=min(self.high, float(third + spread)),
        )
