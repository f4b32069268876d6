"""Drop speech whose text and sound do not cover each other: words unspoken, speech without words.

A text that is forced on speech which lacks a part of it leaves no time to the words that nobody
says; speech that goes on beyond its text is loud where no word is. What is missing in the middle
is often spread over the neighbors, and not seen here: `agreement` hears it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...audio import io as audio
from ...core.errors import AudioError
from ...core.types import Seconds, Share, Utterance, Word
from ._base import Filter

NO_TIME: Seconds = 0.04
"""Two positions of Whisper's encoder; a word that was said takes longer."""
SLOWEST: tuple[Seconds, Seconds] = (0.3, 0.12)
"""What a word takes at most, and each of its letters: what it is given beyond is not its own."""
FRAME = 320
"""Samples, 20 ms."""
QUIET = 25.0
"""Decibels below the loudest frames (their 95th percentile), from which on it is a pause."""


@dataclass(frozen=True)
class Coverage(Filter):
    max_unspoken_share: Share = 0.1
    """Part of the words, at most, that no time is left for."""
    max_untranscribed_seconds: Seconds = 1.0
    """Of speech, at most, in which there is no word."""
    needs_word_times = True

    def __post_init__(self) -> None:
        if not 0 <= self.max_unspoken_share <= 1 or self.max_untranscribed_seconds < 0:
            raise ValueError("unspoken, untold: a part of the words from 0 to 1, and seconds")

    def objection(self, utterance: Utterance) -> str | None:
        """None where the words were never looked for, too."""
        if not utterance.words:
            return None
        unspoken = [each for each in utterance.words if each.end - each.start <= NO_TIME]
        if len(unspoken) > self.max_unspoken_share * len(utterance.words):
            return f"{len(unspoken)} of {len(utterance.words)} words are not spoken"
        try:
            untold = _untold(audio.load_utterance(utterance), utterance.words)
        except AudioError as error:
            return str(error)
        if untold > self.max_untranscribed_seconds:
            return f"{untold:.1f} s of speech without a word"
        return None


def _untold(samples: audio.Samples, words: tuple[Word, ...]) -> Seconds:
    """How long it is loud where no word is."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)  # (n_frames, FRAME)
    if not len(frames):
        return 0.0
    level = 10 * np.log10(np.square(frames, dtype=np.float64).mean(axis=1) + 1e-10)  # (n_frames,)
    loud = level > np.quantile(level, 0.95) - QUIET
    for word in words:
        longest = SLOWEST[0] + SLOWEST[1] * len(word.word)
        end = min(word.end, word.start + longest)
        first, last = (round(at * audio.SAMPLE_RATE / FRAME) for at in (word.start, end))
        loud[first:last] = False
    return float(loud.sum() * FRAME / audio.SAMPLE_RATE)
