"""Filter on the probability of no speech."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.ranges import Fraction
from ...core.types import Utterance
from ._base import Filter


@dataclass(frozen=True)
class NoSpeech(Filter):
    """Drops audio that the recognizer takes for silence, music or noise.

    An utterance without such a probability is kept.
    """

    at_most: Fraction = 0.6
    """Highest probability of no speech, from 0 to 1. 0.6 is OpenAI Whisper's own threshold."""

    def objection(self, utterance: Utterance) -> str | None:
        probability = utterance.no_speech
        # Not every engine reports it, and those must not lose all their labels here.
        if probability is None or probability <= self.at_most:
            return None
        return f"no speech with probability {probability:.2f} > {self.at_most:g}"
