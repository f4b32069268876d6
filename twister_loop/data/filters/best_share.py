"""Filter that keeps the share of the labels of which the recognizer is surest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from ...core.manifest import Manifest
from ...core.ranges import Fraction
from ...core.types import Language, Utterance
from ._base import Filter


@dataclass(frozen=True)
class BestShare(Filter):
    """Drops all but the most confident labels of every language.

    A fixed limit of confidence keeps more labels in every round, and worse ones: a model that was
    trained on its own labels is surer of itself, right or wrong. A share stays what it is, or grows
    by a known step as the labels get better.
    """

    keep: Fraction = 0.6
    """Share of the labels of a language that is kept in the first round, by their number."""
    grow: Fraction = 0.0
    """Added to `keep` for every finished round, up to 1 in all."""

    _limits: ClassVar[Mapping[Language | None, float]] = {}
    """Learned confidence below which a label is dropped, by language."""

    def objection(self, utterance: Utterance) -> str | None:
        # Kept, such labels would seem to have passed a filter that never saw a number.
        if utterance.confidence is None:
            return "the recognizer gave no confidence"
        limit = self._limits.get(utterance.lang)
        if limit is None or utterance.confidence >= limit:
            return None
        return (
            f"confidence {utterance.confidence:.2f}, and the surest {self.keep:.0%} of the labels "
            f"in {utterance.lang or 'no language'} have {limit:.2f} or more"
        )

    def in_round(self, number: int) -> Self:
        # Without `grow`, so that equal shares are equal filters, whatever rounds they came from.
        # Rounded: a sum of decimal fractions has digits that nobody wrote.
        share = round(min(1.0, self.keep + self.grow * (number - 1)), 6)
        return replace(self, keep=share, grow=0.0)

    def fit(self, manifest: Manifest) -> Self:
        # By confidence as it is. Short labels are right or wrong by luck, but ranking them lower
        # was worse for Italian labels (12 % wrong words among 1,230, with it 13 to 16 %) and no
        # better for French ones.
        confidences = defaultdict[Language | None, list[float]](list)
        for utterance in manifest:
            # What is rejected already would take places of labels that could be kept.
            if utterance.confidence is not None and not utterance.should_skip:
                confidences[utterance.lang].append(utterance.confidence)
        limits = {
            lang: float(np.quantile(of_language, 1 - self.keep, method="higher"))
            for lang, of_language in confidences.items()
        }
        return self._with_fitted(_limits=limits)
