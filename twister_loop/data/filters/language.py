"""Drop speech in another language than its label says."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Language, Share, Utterance
from ._base import Filter


@dataclass(frozen=True)
class SpokenLanguage(Filter):
    at_least: Share = 0.7
    """Probability that the recognizer gives to the language; 0.7 is Granary's, 0.8 Emilia's."""
    only: tuple[Language, ...] = ()
    """Where languages are detected, those that are wanted; any if there are none."""

    def objection(self, utterance: Utterance) -> str | None:
        lang, probability = utterance.lang, utterance.lang_probability
        if self.only and lang not in self.only:
            return f"{lang or 'an unknown language'}, not {', '.join(self.only)}"
        if probability is None:
            return "the recognizer does not tell languages apart"
        if probability >= self.at_least:
            return None
        return f"{lang} with probability {probability:.2f} < {self.at_least:g}"
