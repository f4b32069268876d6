"""OpenAI's normalizer for every language: no marks, brackets or case (arXiv 2212.04356, C).

It removes combining marks, and with them vowels of scripts such as Devanagari and Thai: use `basic`
for those.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from whisper_normalizer.basic import BasicTextNormalizer

from ...core.types import Language
from ._base import Normalizer

# Built once: its constructor compiles tables.
load_basic = cache(BasicTextNormalizer)


@dataclass(frozen=True)
class WhisperBasic(Normalizer):
    """Normalizer of the Whisper paper's multilingual tables."""

    def normalize(self, text: str, lang: Language | None) -> str:
        return " ".join(load_basic()(text).split())
