"""Mandarin normalizer: simplified characters (by OpenCC), half width.

Characters of Taiwan, Hong Kong and the mainland are equal; words are not exchanged, since 軟體 and
软件 are said differently. Digits stay digits, because 200 may be read as 二百 or 兩百.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from opencc import OpenCC

from ...core.types import Language
from ._base import Normalizer
from .basic import Basic

# Loading the tables of OpenCC takes a moment, so it waits for the first text.
load_converter = cache(OpenCC)
CONVERSIONS = ("t2s", "tw2s", "hk2s")
"""Configurations of OpenCC, in this order. The first knows phrases in which a character stays, such
as 乾隆; the others know what is standard in Taiwan (著 for 着) and in Hong Kong (衞 for 衛)."""
VARIANTS = str.maketrans("妳牠祇砲汚畧蔴幺腭鲇", "你它只炮污略麻么颚鲶")
"""Variants that OpenCC leaves (most are in the official list of variant characters of 1955), and
those into which it turns simplified characters (么, 颚, 鲶) that it takes for variants."""
# Taiwan writes 計畫, Hong Kong and the mainland 計劃 and 计划.
_PLAN = re.compile("(?<=[计企策规筹谋])画")


@dataclass(frozen=True)
class Mandarin(Normalizer):
    """Normalizer under which traditional and simplified characters are equal.

    >>> Mandarin().normalize("走著線綫", "zh"), Mandarin().normalize("走着线线", "zh")
    ('走着线线', '走着线线')
    """

    def normalize(self, text: str, lang: Language | None) -> str:
        text = Basic(numbers=False).normalize(text, lang)
        for conversion in CONVERSIONS:
            text = load_converter(conversion).convert(text)
        return _PLAN.sub("划", text.translate(VARIANTS))
