"""Code-switching normalizer: the units of the mixed error rate, separated by spaces.

Characters of scripts without spaces (Han, kana, Thai, Lao, Khmer, Myanmar) become single units, as
in the mixed error rate of SEAME and ASCEND; Hangul and all else stays in words. Characters are
simplified (see `mandarin`). Digits stay digits, because the language in which they were spoken is
unknown. Sets are read by the mixed error rate.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Language
from .. import scripts
from ._base import Normalizer
from ._folding import join_words
from .mandarin import Mandarin


@dataclass(frozen=True)
class Mixed(Normalizer):
    """Normalizer for several languages in one sentence."""

    # A sentence in Chinese may hold English words, which characters would weigh by their length.
    measure = "mixed"
    hangul: scripts.HangulUnit = "word"
    """Count Korean by `word` or by `syllable`."""

    def normalize(self, text: str, lang: Language | None) -> str:
        units = scripts.split_units(Mandarin().normalize(text, lang), self.hangul)
        return join_words(" ".join(units))
