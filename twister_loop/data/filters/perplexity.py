"""Filter on the perplexity of a text under the other texts of its language."""

from __future__ import annotations

import math
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from typing import Annotated, ClassVar, Self
from zlib import crc32

import numpy as np

from ...core.manifest import Manifest
from ...core.ranges import Range
from ...core.types import Language, Utterance
from ...text.kneser_ney import KneserNey
from ._base import Filter

MIN_TEXTS = 100
"""Distinct texts of a language below which none of them is judged."""
MAX_TEXTS = 1_000
"""Texts of a language that models are trained on; more would hardly move the limit."""
PARTS = 4
"""Parts of the texts. No text is judged by a model that was trained on it."""
ORDER = 3
"""Longest n-gram of the models, in characters."""


@dataclass(frozen=True)
class CorpusModel:
    """Models of the texts of one language, and the limit that follows from them."""

    models: tuple[KneserNey, ...]
    """Models of the texts, each without one part of them: the texts that it judges."""
    median: float
    """Median surprisal of the texts: nats per character."""
    limit: float
    """Largest excess of a text (see `excess`)."""

    def excess(self, text: str) -> float:
        """Return how much more surprising a text is than the median, in nats.

        It is the difference per character times the square root of the length, since a mean over
        few characters varies more; so one limit serves texts of any length.
        """
        return (self.surprisal(text) - self.median) * math.sqrt(len(text))

    def surprisal(self, text: str) -> float:
        """Return the negative log-probability per character, in nats."""
        model = self.models[_hash(text) % PARTS]
        return -model.logprob(text) / (len(text) + 1)  # the end of the text counts


@dataclass(frozen=True)
class Perplexity(Filter):
    """Drops texts that are improbable beside the others of their language: mostly other languages.

    A character trigram model is trained on the texts that are filtered, for each language that has
    at least 100 distinct ones; texts of other languages are kept. Web corpora are filtered by
    perplexity too (CCNet, arXiv 1911.00359).
    """

    margin: Annotated[float, Range(0, 1000)] = 2.5
    """Limit in interquartile ranges above the third quartile of the texts. A smaller margin drops
    more; 1.5 would be Tukey's outliers."""

    _models: ClassVar[Mapping[Language | None, CorpusModel]] = {}
    """Models by language, learned from the corpus."""

    def objection(self, utterance: Utterance) -> str | None:
        model, text = self._models.get(utterance.lang), _letters(utterance.text or "")
        if model is None or not text or model.excess(text) <= model.limit:
            return None
        limit = model.median + model.limit / math.sqrt(len(text))
        return (
            f"perplexity {math.exp(model.surprisal(text)):.0f} per character > "
            f"{math.exp(limit):.0f}, unlike the other texts in {utterance.lang or 'no language'}"
        )

    def fit(self, manifest: Manifest) -> Self:
        models = {
            lang: _train(texts, self.margin)
            for lang, texts in _draw_texts(manifest).items()
            if len(texts) >= MIN_TEXTS
        }
        return self._with_fitted(_models=models)


def _train(texts: Sequence[str], margin: float) -> CorpusModel:
    """Return the models of the texts, and the limit that follows from them."""
    models = tuple(
        KneserNey((text for text in texts if _hash(text) % PARTS != part), ORDER)
        for part in range(PARTS)
    )
    untuned = CorpusModel(models, 0.0, math.inf)
    centered = replace(
        untuned, median=float(np.median([untuned.surprisal(text) for text in texts]))
    )
    lower, upper = np.quantile([centered.excess(text) for text in texts], [0.25, 0.75])
    return replace(centered, limit=float(upper + margin * (upper - lower)))


def _draw_texts(utterances: Iterable[Utterance]) -> dict[Language | None, list[str]]:
    """Return distinct texts by language, no more than the maximum of each.

    A hash decides which, so that it is the same texts in any order, and a corpus that is too large
    for memory is read only once.
    """
    drawn = defaultdict[Language | None, dict[int, str]](dict)
    for utterance in utterances:
        if text := _letters(utterance.text or ""):
            texts = drawn[utterance.lang]
            texts[_hash(text)] = text
            if len(texts) > 2 * MAX_TEXTS:
                drawn[utterance.lang] = dict(nsmallest(MAX_TEXTS, texts.items()))
    return {
        lang: [text for _, text in nsmallest(MAX_TEXTS, texts.items())]
        for lang, texts in drawn.items()
    }


def _letters(text: str) -> str:
    """Return the words of a text in lower case, without digits and punctuation."""
    # Marks stay: they are part of letters in many scripts.
    return " ".join(
        "".join(
            letter if unicodedata.category(letter)[0] in "LM" else " " for letter in text.casefold()
        ).split()
    )


def _hash(text: str) -> int:
    return crc32(text.encode(errors="replace"))
