"""Drop what is too short or too long to be one utterance."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Seconds, Utterance
from ._base import Filter


@dataclass(frozen=True)
class Duration(Filter):
    at_least: Seconds = 0.4
    at_most: Seconds = 30.0

    def objection(self, utterance: Utterance) -> str | None:
        if self.at_least <= utterance.duration <= self.at_most:
            return None
        return f"{utterance.duration:.1f} s, not {self.at_least:g} to {self.at_most:g} s"
