"""Korean normalizer as in work on KsponSpeech: composed syllables, no punctuation.

Korean spacing is a matter of style, so read the character error rate, which leaves spaces out;
spaces count in the word error rate only.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from ...core.types import Language
from ..normalizer_probes import PROBES
from ._base import Normalizer
from ._folding import fold_characters
from ._korean_readings import read_aloud
from .basic import Basic

_COMPATIBILITY_JAMO = {
    unicodedata.name(chr(code)).removeprefix("HANGUL LETTER "): code
    for code in range(0x3131, 0x3164)
}
"""Compatibility jamo, ㄱ to ㅣ, by their Unicode name."""
LONE_JAMO = {
    code: _COMPATIBILITY_JAMO[name]
    for code in range(0x1100, 0x1200)
    if (name := unicodedata.name(chr(code)).split(" ", 2)[2]) in _COMPATIBILITY_JAMO
}
"""Conjoining to compatibility jamo: ㅋㅋ is the same whichever of its code points was typed."""


@dataclass(frozen=True)
class Korean(Normalizer):
    """Normalizer for Korean.

    >>> Korean(readings=True).normalize("3시에 KBS 뉴스", "ko")
    '세시에 케이비에스 뉴스'
    """

    readings: bool = False
    """Write numbers, units and Latin letters as they are read aloud, so that "3시" and "세시",
    "70%" and "칠십퍼센트", "KBS" and "케이비에스" are equal."""
    jamo: bool = False
    """Decompose syllables, so that the character error rate counts jamo: "각" for "간" is then one
    error in three letters."""
    probes: ClassVar = (
        *PROBES,
        ("ko", "ㅋㅋ \u1112\u1161\u11ab글 ᄒᄒ ㄱㅏ"),
        ("ko", "3시 30분에 20살 21살 5개, 1,234.5km 010-1234-5678 1번째 3개월 -3℃"),
    )

    def normalize(self, text: str, lang: Language | None) -> str:
        # NFC first, so that only jamo outside syllables are left for the table.
        text = unicodedata.normalize("NFC", text).translate(LONE_JAMO)
        if self.readings:
            # Readings are looked up in lower case, half width and ASCII digits.
            text = read_aloud(fold_characters(text, lang))
        # NFKC in `Basic` makes conjoining jamo of the lone ones again.
        normal = Basic(numbers=False).normalize(text, lang).translate(LONE_JAMO)
        return unicodedata.normalize("NFD", normal) if self.jamo else normal

    def keeping_numbers(self) -> Self:
        return replace(self, readings=False)
