"""Gate that rejects a candidate whose transcripts change in the engine that will serve it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...core.ranges import Fraction
from ...core.types import Objection
from .. import metrics
from ..evidence import Evidence
from ._base import Gate


@dataclass(frozen=True)
class EngineParity(Gate):
    """Gate against candidates whose transcripts differ between recognizer and `labeler`.

    Both decode the same weights on the development sets; an engine such as CTranslate2 may
    quantize them.
    """

    needs_labeler_report: ClassVar[bool] = True
    at_most: Fraction = 0.02
    """Largest character error rate of the labeler's transcripts, with the recognizer's own
    transcripts as references."""
    sets: tuple[str, ...] = ()
    """Names of the development sets to look at; all if empty."""

    def objection(self, evidence: Evidence) -> Objection | None:
        # Hypotheses are normalized, so another case or punctuation is no difference.
        pairs = [
            pair
            for name in evidence.set_names("development", only=self.sets)
            for pair in zip(
                evidence.candidate[name].hypotheses,
                evidence.labeler[name].hypotheses,
                strict=True,
            )
        ]
        counts = [metrics.count_character_errors(*pair) for pair in pairs]
        rate = metrics.sum_counts(counts).rate
        if rate <= self.at_most:
            return None
        different = sum(recognizer != labeler for recognizer, labeler in pairs)
        return Objection(
            self.name,
            f"the labeler transcribes {different} of {len(pairs)} clips differently with the same "
            f"weights, CER {rate:.2%}, limit {self.at_most:.2%}",
        )
