"""Korean as in work on KsponSpeech: composed syllables, no punctuation; spaces count in words only.

Korean spaces are a matter of style, so the character error rate, which leaves spaces out, is the
one to read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Self

from ..parts import Normalizer
from ..records import Language
from .basic import Basic

LETTER = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        "에이 비 씨 디 이 에프 지 에이치 아이 제이 케이 엘 엠 엔 오 피 큐 알 에스 티 유 브이 "
        "더블유 엑스 와이 제트".split(),
        strict=True,
    )
)
"""The names of the letters (National Institute of Korean Language)."""
LATIN = re.compile("[a-z]")
PERCENT = re.compile("[%％]")


@dataclass(frozen=True)
class Korean(Normalizer):
    readings: bool = False
    """Whether digits and Latin letters are read aloud in Hangul: "3시" and "삼시", "KBS" and
    "케이비에스" are then equal. Digits are read as Sino-Korean, letter for letter as a name."""

    def normalize(self, text: str, lang: Language | None) -> str:
        if not self.readings:
            return Basic(numbers=False).normalize(text, lang)
        normal = Basic(numbers=False).normalize(PERCENT.sub("퍼센트", text), lang)
        return " ".join(self._read(word) for word in normal.split())

    def as_spelled(self) -> Self:
        return replace(self, readings=False)

    def _read(self, word: str) -> str:
        read = Basic().normalize(word, "ko") if re.search(r"\d", word) else word
        return LATIN.sub(lambda letter: LETTER[letter[0]], read.replace(" ", "")) or word
