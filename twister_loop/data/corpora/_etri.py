"""Transcripts by the rules of ETRI, as KsponSpeech and AI-Hub write them.

Sources: Bang et al., "KsponSpeech: Korean spontaneous speech corpus for automatic speech
recognition" (Applied Sciences 10(19), 2020); and, for what the files hold in fact, the recipes of
ESPnet and KoSpeech.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

Reading = Literal["spelling", "phonetic"]

_DUAL = re.compile(r"\(\s*([^()]*?)\s*\)\s*/?\s*\(\s*([^()]*?)\s*\)")
"""Two transcriptions of the same: `(70%)/(칠 십 퍼센트)`; some have no slash."""
_NOISE = re.compile(r"(?<![A-Za-z])[bnlou]/")
"""Breath, noise, laughter, other voices, unintelligible."""
_MARKS = re.compile(r"[/+*]")
"""Behind a word: a filler, a word begun again, a word that is hard to make out."""
_NO_SPEECH = re.compile(r"[@$^&\[\]=:;]")
"""Strewn in, and nothing that is said; KoSpeech drops them too."""
_UNKNOWN_TAG = re.compile(r"(?<!\S)[a-z]/")
_PUNCTUATION = frozenset(".,?!'\"%#~-·…‘’“”")


def choose_reading(text: str, reading: Reading, *, spelling_first: bool = True) -> str:
    """Of what is written twice, one: as it is spelled, or as it was pronounced.

    Where the order is not certain, whatever holds digits or Latin letters is the spelling.
    """

    def one(both: re.Match[str]) -> str:
        spelled, said = both[1], both[2]
        if not spelling_first and not (_foreign(spelled) and not _foreign(said)):
            spelled, said = said, spelled
        return spelled if reading == "spelling" else said

    return _DUAL.sub(one, text)


def remove_marks(text: str, reading: Reading, *, percent: str = "퍼센트") -> str:
    """Without tags and marks; a sign that has a sound is written out in the phonetic reading.

    `percent` is what a percent sign sounds like there.
    """
    bare = _NO_SPEECH.sub("", _MARKS.sub("", _NOISE.sub(" ", text)))
    if reading == "phonetic":
        bare = bare.replace("%", percent).replace("#", "샾")
    return " ".join(unicodedata.normalize("NFC", bare).split())


def find_unknown_marks(text: str) -> str:
    """What of a raw transcript no rule explains, once its dual transcriptions are chosen."""
    tags = _UNKNOWN_TAG.findall(_NOISE.sub(" ", text))
    bare = _NO_SPEECH.sub("", _MARKS.sub("", text))
    strange = {
        sign
        for sign in unicodedata.normalize("NFC", bare)
        if unicodedata.category(sign)[0] not in "LNZ" and sign not in _PUNCTUATION
        if not sign.isspace()
    }
    return " ".join([*tags, *sorted(strange)])


def _foreign(text: str) -> bool:
    return bool(re.search(r"[0-9A-Za-z]", text))
