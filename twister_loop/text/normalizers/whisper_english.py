"""OpenAI's English normalizer, as in the tables of the Whisper paper (arXiv 2212.04356, C).

Contractions, titles, numbers, money and British spelling are brought to one form. What is not
English gets `whisper_basic`, as OpenAI does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from whisper_normalizer.english import EnglishTextNormalizer

from ...core.types import Language
from ._base import Normalizer
from .whisper_basic import basic

english = cache(EnglishTextNormalizer)


@dataclass(frozen=True)
class WhisperEnglish(Normalizer):
    def normalize(self, text: str, lang: Language | None) -> str:
        made = english()(text) if lang == "en" else basic()(text)
        return " ".join(made.split())
