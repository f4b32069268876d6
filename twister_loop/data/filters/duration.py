"""Filter on the duration of an utterance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...core.ranges import Range
from ...core.types import Seconds, Utterance
from ._base import Filter


@dataclass(frozen=True)
class Duration(Filter):
    """Drops utterances that are too short or too long."""

    at_least: Annotated[Seconds, Range(0, 3600)] = 0.4
    """Shortest duration, in seconds."""
    at_most: Annotated[Seconds, Range(0, 3600)] = 30.0
    """Longest duration, in seconds. Whisper processes windows of 30 s."""

    def __post_init__(self) -> None:
        if self.at_least > self.at_most:
            raise ValueError("at_least, at_most: two durations, the smaller one first")

    def objection(self, utterance: Utterance) -> str | None:
        if self.at_least <= utterance.duration <= self.at_most:
            return None
        return f"{utterance.duration:.1f} s, not {self.at_least:g} to {self.at_most:g} s"
