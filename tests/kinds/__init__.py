"""Kinds of files that people have: how each is made from one recording, and what is right for it.

`write` makes a file, or a folder of files, of every kind. A kind is read whole, or it is rejected
for a reason that is given. There is no encoder of AMR-WB, of Opus beyond 48 kHz or of DTS here, so
these are not among them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
"""Sample rate of the recording that the kinds are made from, in hertz."""
Samples = NDArray[np.float32]
"""A mono recording, (n_samples,), at 16 kHz."""


@dataclass(frozen=True)
class Kind:
    """One kind of file."""

    name: str
    write: Callable[[Path, Samples], object]
    """Writes into a folder from a recording. May return the seconds that can be read of it."""
    share: float | None = 1.0
    """Part of the recording that can be read; above 1 if it is in there more than once. None for
    what is rejected."""
    reason: str = ""
    """Regular expression that the reason of a rejection holds, or the log line that counts it."""
    slack: float = 0.0
    """Seconds that may be missing at the end: the last page of a truncated file."""
    padding: float = 0.0
    """Seconds that may be too many: silence that encoders add, if no header tells how much."""
    clean: bool = True
    """Whether what is read sounds like the recording, so that its loudness can be compared."""


def speak(seconds: float = 2.56, seed: int = 3) -> Samples:
    """Return a voice-like sound: harmonics of a gliding pitch, in syllables of uneven loudness."""
    rng = np.random.default_rng(seed)
    count = round(seconds * RATE)
    times = np.arange(count) / RATE
    phase = 2 * np.pi * np.cumsum(140 + 30 * np.sin(2 * np.pi * 0.7 * times)) / RATE
    voice = sum(np.sin(order * phase) / order for order in range(1, 14))
    syllables = np.repeat(rng.uniform(0.0, 1.0, count // 1600 + 1), 1600)[:count]
    smooth = np.convolve(syllables, np.hanning(800) / np.hanning(800).sum(), "same")
    # Somebody breathes: a lossy codec has nothing to do with digital silence.
    noise = 0.002 * rng.standard_normal(count)
    return (0.25 * np.asarray(voice) * smooth + noise).astype(np.float32)


def all_kinds() -> list[Kind]:
    """Return every kind, in the order of the table."""
    from . import content, damaged, encoded, folders

    kinds = [*encoded.KINDS, *damaged.KINDS, *content.KINDS, *folders.KINDS]
    names = [kind.name for kind in kinds]
    assert len(set(names)) == len(names), "two kinds have one name"
    return kinds
