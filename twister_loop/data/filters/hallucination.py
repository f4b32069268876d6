"""Filter on the phrases that Whisper writes where there is no speech."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ...core.types import Utterance
from ...text.normalizers.basic import Basic
from ._base import Filter
from ._phrases import CLOSING_PHRASES, SUBTITLE_CREDITS


@dataclass(frozen=True)
class Hallucination(Filter):
    """Drops texts that consist of phrases Whisper is known to hallucinate, in any language.

    Subtitle credits ("amara org") are dropped wherever they occur. Closing phrases ("thanks for
    watching") are dropped if the text holds nothing else. `_phrases.py` names the sources.
    """

    anywhere: bool = False
    """Drop texts with a closing phrase among other words, too. Off by default, since people in
    videos do say thanks for watching."""
    also: Path | None = field(default=None)
    """A UTF-8 file with more phrases, one a line."""

    def __post_init__(self) -> None:
        # A relative path is relative to the plan, and is made absolute after this check.
        if self.also is not None and self.also.is_absolute():
            _read_phrases(self.also)

    def objection(self, utterance: Utterance) -> str | None:
        # The phrases are stored in this form, so marks and case make no difference.
        text = _normalize(utterance.text or "")
        for credit in SUBTITLE_CREDITS:
            # Scripts without spaces have no word borders, so there a credit may be part of a
            # longer run of letters.
            if f" {credit} " in f" {text} " or (credit in text and not credit.isascii()):
                return f"a credit of subtitles: {credit!r}"
        only_phrases, any_phrase = _compile_patterns(self.also)
        if only_phrases.fullmatch(text):
            return f"only what is written where nobody speaks: {text[:80]!r}"
        if self.anywhere and (match := any_phrase.search(text)):
            return f"what is written where nobody speaks: {match[0]!r}"
        return None


@lru_cache(maxsize=8)  # one entry a plan's filter; compiling takes longer than matching
def _compile_patterns(also: Path | None) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return a pattern for texts of phrases and nothing else, and one for a phrase anywhere."""
    phrases = {phrase for by_language in CLOSING_PHRASES.values() for phrase in by_language}
    phrases |= {*_read_phrases(also)}
    # The longest first, because a regular expression takes the first alternative that matches.
    longest_first = sorted(phrases, key=lambda phrase: (-len(phrase), phrase))
    alternatives = "|".join(map(re.escape, longest_first))
    return (
        re.compile(rf"(?:(?:{alternatives})(?: |$))+"),
        re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)"),
    )


def _read_phrases(also: Path | None) -> list[str]:
    """Read and normalize the phrases of a file. Raises ValueError if it cannot be read."""
    if also is None:
        return []
    try:
        lines = also.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as cause:
        reason = getattr(cause, "strerror", None) or str(cause)
        raise ValueError(f"also: {also} cannot be read ({reason})") from cause
    return [phrase for line in lines if (phrase := _normalize(line))]


def _normalize(text: str) -> str:
    """Return the basic form of a text."""
    return Basic(numbers=False).normalize(text, None)
