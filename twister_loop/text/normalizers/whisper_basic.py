"""OpenAI's normalizer for every language: marks, brackets and case go (arXiv 2212.04356, C).

It knows combining marks as marks, so it takes vowels from scripts such as Devanagari and Thai:
use `basic` for those.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from whisper_normalizer.basic import BasicTextNormalizer

from ...core.types import Language
from ._base import Normalizer

basic = cache(BasicTextNormalizer)


@dataclass(frozen=True)
class WhisperBasic(Normalizer):
    def normalize(self, text: str, lang: Language | None) -> str:
        return " ".join(basic()(text).split())
