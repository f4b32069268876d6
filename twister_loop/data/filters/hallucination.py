"""Drop what Whisper is known to write where nobody speaks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ...core.types import Utterance
from ...text.normalizers.basic import Basic
from ._base import Filter
from ._phrases import SUBTITLE_CREDITS, CLOSING_PHRASES


@dataclass(frozen=True)
class Hallucination(Filter):
    anywhere: bool = False
    """Whether a phrase is also an objection beside other words. Only credits of subtitles always
    are: in videos people do say thanks for watching."""
    also: Path | None = field(default=None)
    """More phrases, one a line."""

    def __post_init__(self) -> None:
        if self.also is not None and self.also.is_absolute():  # else its folder comes later
            _phrases(self.also)

    def objection(self, utterance: Utterance) -> str | None:
        text = _plain(utterance.text or "")
        for known in SUBTITLE_CREDITS:
            if f" {known} " in f" {text} " or (known in text and not known.isascii()):
                return f"a credit of subtitles: {known!r}"
        whole, one = _patterns(self.also)
        if whole.fullmatch(text):
            return f"only what is written where nobody speaks: {text[:80]!r}"
        if self.anywhere and (found := one.search(text)):
            return f"what is written where nobody speaks: {found[0]!r}"
        return None


@lru_cache(maxsize=8)
def _patterns(also: Path | None) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What finds texts that are known phrases and nothing else, and a phrase among other words."""
    known = {each for phrases in CLOSING_PHRASES.values() for each in phrases} | {*_phrases(also)}
    any_ = "|".join(map(re.escape, sorted(known, key=lambda each: (-len(each), each))))
    return re.compile(rf"(?:(?:{any_})(?: |$))+"), re.compile(rf"(?<!\w)(?:{any_})(?!\w)")


def _phrases(also: Path | None) -> list[str]:
    """Raises ValueError where the file cannot be read."""
    if also is None:
        return []
    try:
        lines = also.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as cause:
        raise ValueError(f"also: {also} cannot be read ({cause})") from cause
    return [each for line in lines if (each := _plain(line))]


def _plain(text: str) -> str:
    """Its basic form, without the dot that case folding leaves of a Turkish capital."""
    return Basic(numbers=False).normalize(text, None).replace("\u0307", "")
