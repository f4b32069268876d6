"""Drop what the recognizer takes for silence, music or noise."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Share, Utterance
from ._base import Filter


@dataclass(frozen=True)
class NoSpeech(Filter):
    at_most: Share = 0.6
    """Probability of no speech; 0.6 is OpenAI Whisper's own threshold."""

    def objection(self, utterance: Utterance) -> str | None:
        share = utterance.no_speech
        if share is None or share <= self.at_most:
            return None
        return f"no speech with probability {share:.2f} > {self.at_most:g}"
