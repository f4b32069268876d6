"""Drop what the recognizer did not bring to an end by itself."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Utterance
from ._base import Filter


@dataclass(frozen=True)
class LengthLimit(Filter):
    def objection(self, utterance: Utterance) -> str | None:
        return "the decode ran into its length limit" if utterance.hit_limit else None
