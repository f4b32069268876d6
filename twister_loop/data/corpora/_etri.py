"""Transcripts by the rules of ETRI, as in KsponSpeech and AI-Hub's corpora.

Sources: Bang et al., "KsponSpeech: Korean spontaneous speech corpus for automatic speech
recognition" (Applied Sciences 10(19), 2020); and, for what the files contain in practice, the
recipes of ESPnet and KoSpeech.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

Reading = Literal["spelling", "phonetic"]
"""Orthographic form (`70%`) or pronunciation (`칠 십 퍼센트`)."""

_DUAL = re.compile(r"\(\s*([^()]*?)\s*\)\s*/?\s*\(\s*([^()]*?)\s*\)")
"""Dual transcription of the same words: `(70%)/(칠 십 퍼센트)`; some have no slash."""
# The look-behind keeps Latin words whole: the end of "usb/" is no tag.
_NOISE = re.compile(r"(?<![A-Za-z])[bnlou]/")
"""Tags of breath, noise, laughter, other voices and unintelligible speech."""
_MARKS = re.compile(r"[/+*]")
"""Marks behind a word: a filler, a repeated start of a word, a word that is hard to make out."""
_SPELLED_SLASH = re.compile(r"(?<=\w)/(?=\w)")
"""Slash within one form of a dual transcription, which is no mark: 3/4, km/h, A/S."""
_SLASH = "\u2044"
"""Character that stands for such a slash until marks are removed (fraction slash)."""
_NO_SPEECH = re.compile(r"[@$^&\[\]=:;]")
"""Stray signs that stand for nothing spoken; KoSpeech removes them too."""
_UNKNOWN_TAG = re.compile(r"(?<!\S)[a-z]/")
# Ordinary punctuation stays in the text; metrics and filters normalize it away.
_PUNCTUATION = frozenset(".,?!'\"%#~-·…‘’“”")


def choose_reading(text: str, reading: Reading, *, spelling_first: bool = True) -> str:
    """Return a transcript with one form of every dual transcription.

    A slash within a form becomes U+2044, so that it is not taken for a mark.

    Args:
        text: A raw transcript.
        reading: The form to keep.
        spelling_first: The first form is the spelling. If False, the order is not certain: a form
            with digits or Latin letters is then the spelling, else the second one is.

    >>> choose_reading("(70%)/(칠 십 퍼센트) 확률", "spelling")
    '70% 확률'
    """

    def choose(dual: re.Match[str]) -> str:
        spelling, pronunciation = dual[1], dual[2]
        in_order = _has_digits_or_latin(spelling) and not _has_digits_or_latin(pronunciation)
        if not spelling_first and not in_order:
            spelling, pronunciation = pronunciation, spelling
        chosen = spelling if reading == "spelling" else pronunciation
        return _SPELLED_SLASH.sub(_SLASH, chosen)

    return _DUAL.sub(choose, text)


def remove_marks(text: str, reading: Reading, *, percent: str = "퍼센트") -> str:
    """Return a transcript without tags and marks, composed (NFC), with single spaces.

    Args:
        text: A transcript after `choose_reading`.
        reading: In the phonetic reading `%` and `#` are written out, since they are spoken.
        percent: Spoken form of `%`.
    """
    plain = _NO_SPEECH.sub("", _MARKS.sub("", _NOISE.sub(" ", text)))
    if reading == "phonetic":
        plain = plain.replace("%", percent).replace("#", "샾")
    # Some files have decomposed Hangul, which a model would learn as other letters.
    return " ".join(unicodedata.normalize("NFC", plain).replace(_SLASH, "/").split())


def find_unknown_marks(text: str) -> str:
    """Return the marks of a transcript that no rule explains, with spaces between; "" if none.

    `text` is a transcript after `choose_reading`.
    """
    tags = _UNKNOWN_TAG.findall(_NOISE.sub(" ", text))
    plain = _NO_SPEECH.sub("", _MARKS.sub("", text.replace(_SLASH, "/")))
    unknown_signs = {
        sign
        for sign in unicodedata.normalize("NFC", plain)
        # Letters, numbers and separators are ordinary text.
        if unicodedata.category(sign)[0] not in "LNZ" and sign not in _PUNCTUATION
        if not sign.isspace()
    }
    return " ".join([*tags, *sorted(unknown_signs)])


def _has_digits_or_latin(text: str) -> bool:
    return bool(re.search(r"[0-9A-Za-z]", text))
