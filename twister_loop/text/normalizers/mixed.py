"""Several languages in one sentence: every script keeps its own unit, so words are countable.

Han characters and kana stand singly, as in the mixed error rate of SEAME and ASCEND; Hangul and
all else stays in words. Characters are simplified (see `mandarin`), and digits stay digits, since
one cannot tell in which language they were said.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Language
from .. import scripts
from ._base import Normalizer
from .mandarin import Mandarin


@dataclass(frozen=True)
class Mixed(Normalizer):
    hangul: scripts.HangulUnit = "word"
    """Whether Korean counts by `word` or by `syllable`."""

    def normalize(self, text: str, lang: Language | None) -> str:
        return " ".join(scripts.split_units(Mandarin().normalize(text, lang), self.hangul))
