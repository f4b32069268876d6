"""Filter on the speaking rate in characters per second."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ...core.manifest import Manifest
from ...core.types import Utterance
from ._base import Filter

MIN_UTTERANCES = 100
"""Utterances below which a corpus does not change the limits: its quartiles are too uncertain."""


@dataclass(frozen=True)
class CharRate(Filter):
    """Drops speech that is too fast or too slow for its text, so that one of them is wrong."""

    low: float = 2.0
    """Lowest rate, in characters per second."""
    high: float = 30.0
    """Highest rate, in characters per second."""
    learned: bool = True
    """Narrow the limits to Q1 - 1.5 IQR and Q3 + 1.5 IQR of the rates in the corpus that is
    filtered, as Emilia does. The corpus needs at least 100 utterances."""

    def objection(self, utterance: Utterance) -> str | None:
        # An empty file has a duration of 0; it must be dropped, not end the round.
        rate = len(utterance.text or "") / max(utterance.duration, 0.01)
        if self.low <= rate <= self.high:
            return None
        return f"{rate:.1f} characters a second, not {self.low:.1f} to {self.high:.1f}"

    def fit(self, manifest: Manifest) -> Self:
        rates = [
            len(utterance.text) / utterance.duration
            for utterance in manifest
            if utterance.text and utterance.duration
        ]
        if not self.learned or len(rates) < MIN_UTTERANCES:
            return self
        # Tukey's fences: quartiles, because the outliers that are looked for shift a mean.
        first, third = np.quantile(rates, [0.25, 0.75])
        margin = 1.5 * (third - first)
        # Never wider than the options: a corpus of garbage would otherwise accept itself.
        return replace(
            self,
            low=max(self.low, float(first - margin)),
            high=min(self.high, float(third + margin)),
        )
