"""Drop what the recognizer was not sure of."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Utterance
from ._base import Filter


@dataclass(frozen=True)
class Confidence(Filter):
    at_least: float = -1.0
    """Average natural log-probability of a token; -1.0 is OpenAI Whisper's own threshold."""

    def objection(self, utterance: Utterance) -> str | None:
        if utterance.confidence is None:
            return "the recognizer gave no confidence"
        if utterance.confidence >= self.at_least:
            return None
        return f"confidence {utterance.confidence:.2f} < {self.at_least:g}"
