"""Kinds of acoustic features and their sizes, which options name without computing them."""

from __future__ import annotations

from typing import Literal

from ...audio.io import SAMPLE_RATE

FeatureKind = Literal["filter_bank", "log_mel", "log_spectrogram", "mfcc"]
Cell = Literal["rnn", "gru", "lstm"]
"""Kind of a recurrent layer."""
WINDOW, HOP = 400, 160
"""Length of a frame and distance between frames in samples: 25 and 10 ms."""
CEPSTRA = 40
"""Coefficients of `mfcc`, as in KoSpeech."""
TOO_SHORT = "shorter than a frame of 25 ms"
FRAMES_PER_SECOND = SAMPLE_RATE // HOP


def feature_size(kind: FeatureKind, mels: int) -> int:
    """Return the number of features in a frame.

    >>> feature_size("mfcc", mels=80), feature_size("log_mel", mels=80)
    (40, 80)
    """
    return {"log_spectrogram": WINDOW // 2 + 1, "mfcc": CEPSTRA}.get(kind, mels)
