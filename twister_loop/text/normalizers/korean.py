"""Korean as in work on KsponSpeech: composed syllables, no punctuation; spaces count in words only.

Korean spaces are a matter of style, so the character error rate, which leaves spaces out, is the
one to read.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from ...core.types import Language
from ..normalizer_probes import PROBES
from ._base import Normalizer
from ._korean_readings import read_aloud
from .basic import Basic

_BY_NAME = {
    unicodedata.name(chr(code)).removeprefix("HANGUL LETTER "): code
    for code in range(0x3131, 0x3164)
}
"""ㄱ to ㅣ as they are typed alone."""
ALONE = {
    code: _BY_NAME[name]
    for code in range(0x1100, 0x1200)
    if (name := unicodedata.name(chr(code)).split(" ", 2)[2]) in _BY_NAME
}
"""A jamo that is no part of a syllable, whichever of its three code points was used: ㅋㅋ."""


@dataclass(frozen=True)
class Korean(Normalizer):
    readings: bool = False
    """Whether numbers, units and Latin letters are read aloud in Hangul: "3시" and "세시", "70%"
    and "칠십퍼센트", "KBS" and "케이비에스" are then equal."""
    jamo: bool = False
    """Whether syllables are taken apart, so that the character error rate counts jamo: "각" for
    "간" is then one error of three letters."""
    probes: ClassVar = (
        *PROBES,
        ("ko", "ㅋㅋ \u1112\u1161\u11ab글 ᄒᄒ ㄱㅏ"),
        ("ko", "3시 30분에 20살 21살 5개, 1,234.5km 010-1234-5678 1번째 3개월 -3℃"),
    )

    def normalize(self, text: str, lang: Language | None) -> str:
        text = unicodedata.normalize("NFC", text).translate(ALONE)
        if self.readings:
            folded = unicodedata.normalize("NFKC", text).casefold()
            text = read_aloud(unicodedata.normalize("NFKC", folded))
        normal = Basic(numbers=False).normalize(text, lang).translate(ALONE)
        return unicodedata.normalize("NFD", normal) if self.jamo else normal

    def keeping_numbers(self) -> Self:
        return replace(self, readings=False)
