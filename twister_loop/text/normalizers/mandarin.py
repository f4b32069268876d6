"""Traditional and simplified characters are one, and so are full and half width (by OpenCC).

Digits stay digits: which of 二百, 兩百 and 200 was said is not for a normalizer to guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from opencc import OpenCC

from ...core.types import Language
from ._base import Normalizer
from .basic import Basic

simplified = cache(lambda: OpenCC("t2s"))


@dataclass(frozen=True)
class Mandarin(Normalizer):
    def normalize(self, text: str, lang: Language | None) -> str:
        return str(simplified().convert(Basic(numbers=False).normalize(text, lang)))
