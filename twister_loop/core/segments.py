"""Cutting utterances by the times of their words, and joining their texts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from .types import UNSPACED, Language, Seconds, Utterance

TIMESTAMP_STEP: Seconds = 0.02
"""Resolution of Whisper's timestamps."""
MAX_WINDOW: Seconds = 30.0
"""Length of the window that Whisper decodes at once, and its last timestamp."""
MAX_MARGIN: Seconds = 0.05
"""The most audio that is kept on each side of the words that are cut out."""


def find_single_speaker(utterance: Utterance) -> str | None:
    """Return the speaker; None if it is unknown or if several were joined (`ada+bob`)."""
    speaker = utterance.speaker
    return None if speaker is None or "+" in speaker else speaker


def join_texts(parts: Iterable[tuple[Language | None, str | None]]) -> str:
    """Return the texts of (language, text) pairs as one; empty texts are left out.

    No space is put between two texts whose languages are both written without spaces.

    >>> join_texts([("zh", "你好"), ("ja", "東京"), ("en", "hello")])
    '你好東京 hello'
    >>> join_texts([])
    ''
    """
    pairs = [(lang, text) for lang, text in parts if text]
    separators = [
        "" if {lang_before, lang} <= UNSPACED else " "
        for (lang_before, _), (lang, _) in pairwise(pairs)
    ]
    # The first text has no separator before it. Not strict, because there may be no text at all.
    return "".join(
        f"{separator}{text}" for separator, (_, text) in zip(["", *separators], pairs, strict=False)
    )


def timestamp_index(seconds: Seconds) -> int:
    """Return the number of the nearest of Whisper's timestamps, counted from `<|0.00|>`.

    >>> timestamp_index(1.23), timestamp_index(31.0)
    (62, 1500)
    """
    # Not `round`, which rounds halves to even numbers.
    return math.floor(min(seconds, MAX_WINDOW) / TIMESTAMP_STEP + 0.5)


def trim_silence(utterance: Utterance, margin: Seconds) -> Utterance:
    """Return the utterance from `margin` before its first word to `margin` after its last.

    Without word times it is returned as it is.
    """
    if not utterance.words:
        return utterance
    start = max(0.0, utterance.words[0].start - margin)
    end = min(utterance.duration, utterance.words[-1].end + margin)
    return _cut_out(
        utterance,
        start=start,
        end=max(end, start),
        first_word=0,
        end_word=len(utterance.words),
    )


def cut_words(utterance: Utterance, first_word: int, end_word: int) -> Utterance:
    """Return the words from `first_word` up to, not including, `end_word` as an utterance."""
    start, end = cut_times(utterance, first_word, end_word)
    return _cut_out(utterance, start=start, end=end, first_word=first_word, end_word=end_word)


def cut_times(utterance: Utterance, first_word: int, end_word: int) -> tuple[Seconds, Seconds]:
    """Return start and end, in seconds from the utterance's start, at which `cut_words` cuts.

    Half of the pause between two words goes to each of them, but never more than `MAX_MARGIN`.
    """
    words = utterance.words
    first, last = words[first_word], words[end_word - 1]
    end_before = words[first_word - 1].end if first_word else 0.0
    start_after = words[end_word].start if end_word < len(words) else utterance.duration
    # Words of a forced alignment may overlap: then the pause is not below 0.
    start = first.start - min(max(first.start - end_before, 0.0) / 2, MAX_MARGIN)
    end = last.end + min(max(start_after - last.end, 0.0) / 2, MAX_MARGIN)
    # Word times of a forced alignment may lie beyond the end of the recording.
    start = min(max(start, 0.0), utterance.duration)
    return start, min(max(end, start), utterance.duration)


def _cut_out(
    utterance: Utterance, *, start: Seconds, end: Seconds, first_word: int, end_word: int
) -> Utterance:
    """Return the audio between two times, and some of the words with times from its start."""
    words = utterance.words[first_word:end_word]
    # The text of the whole utterance may have punctuation that its words lack.
    keeps_all_words = len(words) == len(utterance.words)
    text = (
        utterance.text
        if keeps_all_words
        else join_texts((utterance.lang, word.word) for word in words)
    )
    # To milliseconds, as manifests hold them.
    return replace(
        utterance,
        offset=round(utterance.offset + start, 3),
        duration=round(end - start, 3),
        text=text,
        words=tuple(
            replace(word, start=round(word.start - start, 3), end=round(word.end - start, 3))
            for word in words
        ),
    )
