"""Whether two files hold the same recording, be it at another rate, level or in another codec.

The fingerprint of Haitsma and Kalker (2002): the signs of how the differences between
neighboring bands change in time. Two takes of one sentence differ in about half of the bits.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..core.errors import AudioError
from ..core.types import Seconds, Share, Utterance
from . import io as audio
from .io import Samples

RATE = 5_000
FRAME, HOP = 2_048, 64
"""Samples at `RATE`: 0.41 s every 13 ms, so that a small shift changes little."""
BANDS = np.geomspace(300, 2_000, 34)
"""Borders in hertz: what a telephone and every codec lets through."""
STRETCH: Seconds = 4.0
"""Around the middle; enough to tell, and a pool is read faster."""
SHIFTS = 10
"""Frames by which a codec may delay."""
SAME: Share = 0.25
"""Part of the bits that may differ; the paper takes 0.35 for stretches of 3 s."""
SAME_OF_SHORT: Share = 0.1
"""The same where less than `ENOUGH` is in common: two different words may differ in 0.12 then."""
ENOUGH = 64
"""Frames: of recordings of 1.25 s."""
LONGER: Seconds = 0.15
"""By which two files of one recording may differ in length."""

Fingerprint = NDArray[np.bool_]
"""(frames, 32)."""


def find_duplicates(
    utterances: Iterable[Utterance], candidates: Iterable[Utterance]
) -> Iterator[tuple[Utterance, Utterance]]:
    """Pairs of the first and of the second that are one recording.

    Only what is about as long is read, and nothing that is under half a second or unreadable.
    """
    known = sorted(candidates, key=lambda each: each.duration)
    lengths = [each.duration for each in known]
    prints: dict[int, Fingerprint | None] = {}
    for each in utterances:
        first = bisect_left(lengths, each.duration - LONGER)
        last = bisect_right(lengths, each.duration + LONGER)
        mine = _fingerprint(each) if first < last else None
        for place in range(first, last):
            if place not in prints:
                prints[place] = _fingerprint(known[place])
            other = prints[place]
            if mine is not None and other is not None and is_same_recording(mine, other):
                yield each, known[place]


def _fingerprint(utterance: Utterance) -> Fingerprint | None:
    try:
        return read_fingerprint(utterance)
    except AudioError:
        return None


def read_fingerprint(utterance: Utterance) -> Fingerprint:
    """Read the middle of an utterance. Raises AudioError."""
    length = min(STRETCH, utterance.duration)
    begin = utterance.offset + (utterance.duration - length) / 2
    return compute_fingerprint(audio.read(utterance.audio_filepath, begin, length, utterance.channel))


def compute_fingerprint(samples: Samples) -> Fingerprint:
    """The fingerprint of mono samples at 16 kHz."""
    slow = audio.resample(samples, audio.SAMPLE_RATE, RATE)
    slow = np.pad(slow, (0, max(0, FRAME + HOP - len(slow))))
    frames = np.lib.stride_tricks.sliding_window_view(slow, FRAME)[::HOP]  # (frames, FRAME)
    power = np.abs(np.fft.rfft(frames * np.hanning(FRAME))) ** 2  # (frames, bins)
    borders = np.round(BANDS * FRAME / RATE).astype(int)
    energy = np.add.reduceat(power, borders, axis=1)[:, :-1]  # (frames, 33)
    return np.asarray(np.diff(np.diff(energy, axis=1), axis=0) > 0)


def is_same_recording(one: Fingerprint, other: Fingerprint) -> bool:
    """Whether two are of one recording."""
    enough = min(len(one), len(other)) >= ENOUGH
    return bit_error_rate(one, other) < (SAME if enough else SAME_OF_SHORT)


def bit_error_rate(one: Fingerprint, other: Fingerprint) -> Share:
    """Part of the bits that differ, at the small shift where they differ least.

    1.0 where they are too short to tell.
    """
    length = min(len(one), len(other)) - SHIFTS
    if length < SHIFTS:
        return 1.0
    return min(_differing(one, other, shift, length) for shift in range(-SHIFTS, SHIFTS + 1))


def _differing(one: Fingerprint, other: Fingerprint, shift: int, length: int) -> Share:
    first, second = one[max(0, shift) :][:length], other[max(0, -shift) :][:length]
    common = min(len(first), len(second))
    return float(np.mean(first[:common] != second[:common]))
