"""Mandarin normalizer: simplified characters (by OpenCC), half width.

Digits stay digits, because 200 may be read as 二百 or 兩百.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from opencc import OpenCC

from ...core.types import Language
from ._base import Normalizer
from .basic import Basic

# Loading the tables of OpenCC takes a moment, so it waits for the first text.
load_converter = cache(lambda: OpenCC("t2s"))


@dataclass(frozen=True)
class Mandarin(Normalizer):
    """Normalizer under which traditional and simplified characters are equal."""

    def normalize(self, text: str, lang: Language | None) -> str:
        return str(load_converter().convert(Basic(numbers=False).normalize(text, lang)))
