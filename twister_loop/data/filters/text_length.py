"""Drop texts that are too short or too long to be spoken at once."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Utterance
from ._base import Filter


@dataclass(frozen=True)
class TextLength(Filter):
    at_least: int = 1
    """Characters."""
    at_most: int = 400
    """Characters: at a slow 15 a second about the 30 s that Whisper hears at once."""

    def __post_init__(self) -> None:
        if not 0 <= self.at_least <= self.at_most:
            raise ValueError("at_least, at_most: characters, the smaller number first")

    def objection(self, utterance: Utterance) -> str | None:
        length = len(utterance.text or "")
        if self.at_least <= length <= self.at_most:
            return None
        return f"{length} characters, not {self.at_least} to {self.at_most}"
