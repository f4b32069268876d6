"""OpenAI's English normalizer, as in the tables of the Whisper paper (arXiv 2212.04356, C).

Contractions, titles, numbers, money and British spelling get one form. Texts in other languages
are normalized by `whisper_basic`, as OpenAI does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from whisper_normalizer.english import EnglishTextNormalizer

from ...core.types import Language
from ._base import Normalizer
from .whisper_basic import load_basic

# Built once: it reads a table of 1,700 British spellings.
load_english = cache(EnglishTextNormalizer)


@dataclass(frozen=True)
class WhisperEnglish(Normalizer):
    """Normalizer of the Whisper paper's English tables."""

    def normalize(self, text: str, lang: Language | None) -> str:
        normalize = load_english() if lang == "en" else load_basic()
        try:
            normalized = normalize(text)
        # OpenAI's own fails on numbers of more than 4,300 digits, which are what a model writes
        # that repeats itself; such a text gets the form of the other languages.
        except (AssertionError, ValueError, ArithmeticError):
            normalized = load_basic()(text)
        return " ".join(normalized.split())
