"""Filter on the speaking rate in letters per second."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

import numpy as np

from ...core.manifest import Manifest
from ...core.ranges import Range
from ...core.types import Language, Utterance
from ...text.script_neutral import count_letters
from ._base import Filter

MIN_UTTERANCES = 100
"""Utterances of a language below which they do not change its limits: too few for quartiles."""
SLOWEST_SHARE = 0.05
"""Share of the utterances below the quantile from which the lower limit is learned."""
SLOWEST_MARGIN = 1.5
"""Distance of the lower limit from the median, in distances of that quantile, by the logarithm."""


@dataclass(frozen=True)
class CharRate(Filter):
    """Drops speech that is too fast or too slow for its text, so that one of them is wrong.

    The rate is of letters without spaces. A Han character, kana or Hangul syllable counts as three
    letters, so that the rates of all languages are alike.
    """

    low: Annotated[float, Range(0, 1000)] = 2.0
    """Lowest rate, in letters per second."""
    high: Annotated[float, Range(0, 1000)] = 30.0
    """Highest rate, in letters per second."""
    learned: bool = True
    """Narrow the limits, for each language that has at least 100 utterances in the corpus that is
    filtered: to Q1 - 1.5 IQR and Q3 + 1.5 IQR of its rates, as Emilia does, and the lower one also
    to a little below its slowest 5 %, since the end of a label is missing more often than anything
    is added."""

    _limits: ClassVar[Mapping[Language | None, tuple[float, float]]] = {}
    """Learned limits by language."""

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low, high: two rates, the smaller one first")

    def objection(self, utterance: Utterance) -> str | None:
        rate = _letters_per_second(utterance)
        low, high = self._limits.get(utterance.lang, (self.low, self.high))
        if low <= rate <= high:
            return None
        return f"{rate:.1f} letters a second, not {low:.1f} to {high:.1f}"

    def fit(self, manifest: Manifest) -> Self:
        if not self.learned:
            return self
        rates = defaultdict[Language | None, list[float]](list)
        for utterance in manifest:
            if utterance.duration and (rate := _letters_per_second(utterance)):
                rates[utterance.lang].append(rate)
        limits = {
            lang: self._narrow(np.array(rates_of_lang))
            for lang, rates_of_lang in rates.items()
            if len(rates_of_lang) >= MIN_UTTERANCES
        }
        return self._with_fitted(_limits=limits)

    def _narrow(self, rates: np.ndarray) -> tuple[float, float]:
        """Return the limits for a language with these rates, shape (n_utterances,)."""
        # Tukey's fences: quartiles, because the outliers that are looked for shift a mean.
        slowest, first, median, third = np.quantile(rates, [SLOWEST_SHARE, 0.25, 0.5, 0.75])
        margin = 1.5 * (third - first)
        # Fences are far out where speakers keep to some rates, so that half a label passes them.
        # Where rates are normal, this one drops 0.7 %.
        low_end = median * (slowest / median) ** SLOWEST_MARGIN
        # Never wider than the options: a corpus of garbage would otherwise accept itself.
        return (
            max(self.low, float(first - margin), float(low_end)),
            min(self.high, float(third + margin)),
        )


def _letters_per_second(utterance: Utterance) -> float:
    # An empty file has a duration of 0; it must be dropped, not end the round.
    return count_letters(utterance.text or "") / max(utterance.duration, 0.01)
