"""Filter on the spoken language."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.ranges import Fraction
from ...core.types import Language, Utterance
from ._base import Filter


@dataclass(frozen=True)
class SpokenLanguage(Filter):
    """Drops speech that is probably in another language than its label says.

    Also drops speech in a language that is not wanted, and all speech if the recognizer gives no
    probability of the language.
    """

    at_least: Fraction = 0.7
    """Lowest probability of `Utterance.lang`, from 0 to 1. 0.7 is Granary's threshold, 0.8
    Emilia's."""
    only: tuple[Language, ...] = ()
    """The wanted languages, where languages are detected (ISO 639-1 codes); empty for any."""

    def objection(self, utterance: Utterance) -> str | None:
        lang, probability = utterance.lang, utterance.lang_probability
        # First, because a wrong language is wrong however certain the recognizer is.
        if self.only and lang not in self.only:
            return f"{lang or 'an unknown language'}, not {', '.join(self.only)}"
        # Kept, such labels would seem to be checked, though the engine detects no language.
        if probability is None:
            return "the recognizer does not tell languages apart"
        if probability >= self.at_least:
            return None
        return f"{lang} with probability {probability:.2f} < {self.at_least:g}"
