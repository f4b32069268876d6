"""Filter on the duration of an utterance."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Seconds, Utterance
from ._base import Filter


@dataclass(frozen=True)
class Duration(Filter):
    """Drops utterances that are too short or too long."""

    at_least: Seconds = 0.4
    """Shortest duration, in seconds."""
    at_most: Seconds = 30.0
    """Longest duration, in seconds. Whisper processes windows of 30 s."""

    def objection(self, utterance: Utterance) -> str | None:
        if self.at_least <= utterance.duration <= self.at_most:
            return None
        return f"{utterance.duration:.1f} s, not {self.at_least:g} to {self.at_most:g} s"
