"""Audio fingerprints: the same recording is found at another rate, level, or in another codec.

The fingerprint of Haitsma and Kalker (2002): the signs of how the differences between the energies
of neighboring bands change in time. Two recordings of one sentence differ in about half of the
bits. `recording_search` looks for parts of recordings and at other speeds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.types import Seconds, Share, Utterance
from . import io as audio
from .io import Samples

RATE = 5_000
"""Sample rate in hertz of the fingerprint: the bands end at 2000 Hz."""
FRAME, HOP = 2_048, 64
"""Frame length and step in samples at `RATE`: 0.41 s every 13 ms. Frames overlap so much that a
small shift in time changes few bits."""
BANDS = np.geomspace(300, 2_000, 34)
"""Band edges in hertz, the range that a telephone and every codec passes."""
MAX_LENGTH: Seconds = 4.0
"""Length of the part from the middle that is compared: enough to decide, and fast to read."""
MAX_SHIFT = 10
"""Frames; the largest delay between two recordings, such as that of a codec."""
MAX_BIT_ERRORS: Share = 0.25
"""Share of bits that may differ in one recording; the paper takes 0.35 for 3 s."""
MAX_BIT_ERRORS_SHORT: Share = 0.1
"""The same for fingerprints shorter than `MIN_FRAMES`, in which two different words may differ in
only 0.12 of the bits."""
MIN_FRAMES = 64
"""Frames of a fingerprint of 1.25 s."""
MAX_LENGTH_DIFFERENCE: Seconds = 0.15
"""The most that the durations of two files of one recording may differ, such as by a codec's
padding."""

Fingerprint = NDArray[np.bool_]
"""Bits of shape (frames, 32)."""


def read_fingerprint(utterance: Utterance) -> Fingerprint:
    """Return the fingerprint of the middle of an utterance. Raises AudioError."""
    length = min(MAX_LENGTH, utterance.duration)
    # The middle, because codecs and editors change the edges.
    start = utterance.offset + (utterance.duration - length) / 2
    return compute_fingerprint(
        audio.read(utterance.audio_filepath, start, length, utterance.channel)
    )


def compute_fingerprint(samples: Samples) -> Fingerprint:
    """Return the fingerprint, bool (frames, 32), of samples (n_samples,) at 16 kHz."""
    samples = audio.resample(samples, audio.SAMPLE_RATE, RATE)
    # Two frames at least, of which the last difference is taken.
    samples = np.pad(samples, (0, max(0, FRAME + HOP - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]  # (frames, FRAME)
    power = np.abs(np.fft.rfft(frames * np.hanning(FRAME))) ** 2  # (frames, bins)
    edges = np.round(BANDS * FRAME / RATE).astype(int)
    # reduceat also sums everything above the last edge, which is not a band.
    energy = np.add.reduceat(power, edges, axis=1)[:, :-1]  # (frames, 33)
    return np.asarray(np.diff(np.diff(energy, axis=1), axis=0) > 0)


def is_same_recording(fingerprint: Fingerprint, candidate: Fingerprint) -> bool:
    """Return whether two fingerprints are of the same recording."""
    # Few frames differ less by chance.
    is_long = min(len(fingerprint), len(candidate)) >= MIN_FRAMES
    limit = MAX_BIT_ERRORS if is_long else MAX_BIT_ERRORS_SHORT
    return bit_error_rate(fingerprint, candidate) < limit


def bit_error_rate(fingerprint: Fingerprint, candidate: Fingerprint) -> Share:
    """Return the share of bits that differ, at the shift in time with the fewest.

    It is 1.0 if there are too few frames to decide.
    """
    length = min(len(fingerprint), len(candidate)) - MAX_SHIFT
    if length < MAX_SHIFT:
        return 1.0
    # Codecs delay speech by up to a tenth of a second.
    shifts = range(-MAX_SHIFT, MAX_SHIFT + 1)
    return min(_compare(fingerprint, candidate, shift, length) for shift in shifts)


def _compare(fingerprint: Fingerprint, candidate: Fingerprint, shift: int, length: int) -> Share:
    """Return the share of bits that differ over `length` frames at one shift in time."""
    frames = fingerprint[max(0, shift) :][:length]
    candidate_frames = candidate[max(0, -shift) :][:length]
    common = min(len(frames), len(candidate_frames))
    return float(np.mean(frames[:common] != candidate_frames[:common]))
