"""Filter on the confidence of the recognizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...core.ranges import Range
from ...core.types import Utterance
from ._base import Filter


@dataclass(frozen=True)
class Confidence(Filter):
    """Drops transcripts that the recognizer gives a low probability, or no probability at all."""

    at_least: Annotated[float, Range(-1000, 0)] = -1.0
    """Lowest average natural log-probability of a token; 0 is certain. -1.0 is OpenAI Whisper's
    own threshold."""

    def objection(self, utterance: Utterance) -> str | None:
        # Kept, such labels would seem to have passed a filter that never saw a number.
        if utterance.confidence is None:
            return "the recognizer gave no confidence"
        if utterance.confidence >= self.at_least:
            return None
        return f"confidence {utterance.confidence:.2f} < {self.at_least:g}"
