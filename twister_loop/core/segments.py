"""Parts of utterances, cut out by the times of their words, and texts put one after the other."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from .types import UNSPACED, Language, Seconds, Utterance

GRID: Seconds = 0.02
"""Whisper's timestamps are multiples of it."""
LONGEST: Seconds = 30.0
"""What Whisper hears at once, and the last of its timestamps."""
HALO: Seconds = 0.05
"""Of sound, at most, that is kept on each side of what is cut out."""


def speaker_of(utterance: Utterance) -> str | None:
    """Who speaks; None where that is not known, or where several were joined (`one+other`)."""
    speaker = utterance.speaker
    return None if speaker is None or "+" in speaker else speaker


def written(parts: Iterable[tuple[Language | None, str | None]]) -> str:
    """Texts one after the other; no space between two in languages that are written without."""
    said = [(lang, text) for lang, text in parts if text]
    glued = ["" if {before, lang} <= UNSPACED else " " for (before, _), (lang, _) in pairwise(said)]
    return "".join(f"{glue}{text}" for glue, (_, text) in zip(["", *glued], said, strict=True))


def timestamp(at: Seconds) -> int:
    """The nearest place on the grid; an offset among Whisper's timestamps."""
    return math.floor(min(at, LONGEST) / GRID + 0.5)


def trimmed(utterance: Utterance, silence: Seconds) -> Utterance:
    """The utterance from a little before its first word to a little after its last."""
    if not utterance.words:
        return utterance
    start = max(0.0, utterance.words[0].start - silence)
    end = min(utterance.duration, utterance.words[-1].end + silence)
    return _between(utterance, start, max(end, start), 0, len(utterance.words))


def cut(utterance: Utterance, first: int, last: int) -> Utterance:
    """Return the words from `first` up to, not including, `last` as an utterance of its own."""
    start, end = cut_times(utterance, first, last)
    return _between(utterance, start, end, first, last)


def cut_times(utterance: Utterance, first: int, last: int) -> tuple[Seconds, Seconds]:
    """Return start and end, in seconds from the utterance's start, at which `cut` cuts.

    Half of the hole between two words goes to each of them, but never more than `HALO`.
    """
    words = utterance.words
    before = words[first - 1].end if first else 0.0
    after = words[last].start if last < len(words) else utterance.duration
    start = words[first].start - min(max(words[first].start - before, 0.0) / 2, HALO)
    end = words[last - 1].end + min(max(after - words[last - 1].end, 0.0) / 2, HALO)
    # Word times of a forced alignment may lie beyond the end of the recording.
    start = min(max(start, 0.0), utterance.duration)
    return start, min(max(end, start), utterance.duration)


def _between(
    utterance: Utterance, start: Seconds, end: Seconds, first: int, last: int
) -> Utterance:
    words = utterance.words[first:last]
    all_of_it = len(words) == len(utterance.words)
    return replace(
        utterance,
        offset=round(utterance.offset + start, 3),
        duration=round(end - start, 3),
        text=utterance.text
        if all_of_it
        else written((utterance.lang, each.word) for each in words),
        words=tuple(
            replace(each, start=round(each.start - start, 3), end=round(each.end - start, 3))
            for each in words
        ),
    )
