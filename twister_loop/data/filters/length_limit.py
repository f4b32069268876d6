"""Filter on truncated transcripts."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Utterance
from ._base import Filter


@dataclass(frozen=True)
class LengthLimit(Filter):
    """Drops transcripts that the decoder cut off at its length limit.

    They lack their end, or they are an endless repetition.
    """

    def objection(self, utterance: Utterance) -> str | None:
        return "the decode ran into its length limit" if utterance.hit_limit else None
