"""Filter on how well the aligned words cover the speech.

A text that is force-aligned to speech which lacks a part of it leaves no time to the missing
words. Speech that goes on beyond its text is loud where there is no word. Words that are missing
in the middle are often spread over their neighbors and not found here; `agreement` finds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...audio import io as audio
from ...core.errors import AudioError
from ...core.ranges import Fraction, Range
from ...core.types import Seconds, Utterance, Word
from ._base import Filter

MIN_WORD_SECONDS: Seconds = 0.04
"""Two positions of Whisper's encoder, in seconds; a spoken word takes longer."""
MAX_SECONDS_PER_WORD: Seconds = 0.3
"""Time that a word may take, in seconds, beside that of its letters."""
MAX_SECONDS_PER_LETTER: Seconds = 0.12
"""Time that each letter of a word may take, in seconds."""
FRAME = 320
"""Samples of a frame: 20 ms."""
PAUSE_DECIBELS = 25.0
"""Decibels below the loudest frames (their 95th percentile) at which a frame counts as a pause."""


@dataclass(frozen=True)
class Coverage(Filter):
    """Drops speech with words that were not spoken, or with speech that has no words.

    Needs word times; an utterance without them is kept. Audio that cannot be read is dropped.
    """

    max_unspoken_share: Fraction = 0.1
    """Largest share of the words, from 0 to 1, that the alignment leaves 0.04 s or less."""
    max_untranscribed_seconds: Annotated[Seconds, Range(0, 3600)] = 1.0
    """Most speech, in seconds, that may lie outside all words."""
    needs_word_times = True

    def objection(self, utterance: Utterance) -> str | None:
        if not utterance.words:
            return None
        # Before the audio is read, which takes longer than all the rest.
        unspoken = [word for word in utterance.words if word.end - word.start <= MIN_WORD_SECONDS]
        if len(unspoken) > self.max_unspoken_share * len(utterance.words):
            return f"{len(unspoken)} of {len(utterance.words)} words are not spoken"
        try:
            seconds = _untranscribed_seconds(audio.load_utterance(utterance), utterance.words)
        except AudioError as error:
            return str(error)
        if seconds > self.max_untranscribed_seconds:
            return f"{seconds:.1f} s of speech without a word"
        return None


def _untranscribed_seconds(samples: audio.Samples, words: tuple[Word, ...]) -> Seconds:
    """Return how long samples, shape (n_samples,), are loud outside all words."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)  # (n_frames, FRAME)
    if not len(frames):
        return 0.0
    # float64, because the squares of quiet float32 samples lose their precision; 1e-10 keeps
    # the logarithm of digital silence finite.
    level = 10 * np.log10(np.square(frames, dtype=np.float64).mean(axis=1) + 1e-10)  # (n_frames,)
    # Relative to the recording's own level, since recordings differ in gain. A percentile and
    # not the maximum, which a single click would decide.
    loud = level > np.quantile(level, 0.95) - PAUSE_DECIBELS
    for word in words:
        # If the end of the text is missing, the aligner stretches the last word over the rest of
        # the speech; so a word covers no more than it can take.
        longest = MAX_SECONDS_PER_WORD + MAX_SECONDS_PER_LETTER * len(word.word)
        end = min(word.end, word.start + longest)
        first, last = (round(time * audio.SAMPLE_RATE / FRAME) for time in (word.start, end))
        loud[first:last] = False
    return float(loud.sum() * FRAME / audio.SAMPLE_RATE)
