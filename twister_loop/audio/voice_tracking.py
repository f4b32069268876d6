"""Voices of a recording, followed from window to window.

Windows of 1.6 s are embedded and clustered, and a Viterbi search gives every window a voice: a
change of the voice costs something, less at a pause than within speech.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.types import Seconds, Share
from .speaker_clustering import DistanceLimits, Labels, OnlineClustering
from .speaker_embedding import MIN_DURATION

WINDOW_STEP: Seconds = 0.4
"""Time between the starts of windows within one stretch of speech."""
DISTANCE_TO_SPREAD = 1.35
"""Mean distance between the windows of two voices, as a multiple of `measure_spread`."""
MIN_UNBROKEN = 8
"""Fewest pairs of windows without a pause between them that tell how far a voice is from itself."""
MEAN_DISTANCES = 0.3, 0.42
"""Least and greatest limit of that distance. Windows of one of four people on the telephone are
0.14 to 0.35 apart (5 and 95 %), those of two of them 0.29 to 0.56. Lively voices are further apart,
from themselves and from others."""
MEANS_TO_WINDOWS = 0.43
"""Limit for the mean embeddings of two voices, as a multiple of that for their windows."""
CHANGE_AT_PAUSE = 0.05
"""Cost of a change of the voice between two stretches of speech: cosine times seconds of speech."""
CHANGE_WITHIN_SPEECH = 0.3
"""The same where nothing is pausing."""
MIN_VOICE: Seconds = 3.0
"""Shortest speech of one voice in a recording; less is the voice that it resembles most."""
MIXED_SHARE: Share = 0.1
"""Share of a cut's windows that resemble another voice more, above which it has that one too."""

Similarities = NDArray[np.float64]
"""Cosines of windows to the mean embedding of each voice, rounded, (windows, voices)."""


@dataclass(frozen=True)
class Windows:
    """Windows of speech in the order of time."""

    starts: NDArray[np.float64]
    """Start of each window in seconds, (windows,)."""
    ends: NDArray[np.float64]
    """End of each window in seconds, (windows,)."""
    stretch: NDArray[np.int64]
    """Number of the stretch of speech that each window is in, (windows,)."""
    embeddings: NDArray[np.float32]
    """Embeddings of length 1, (windows, 256)."""

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Return the share of its stretch that each window stands for, in seconds, (windows,)."""
        # Windows of a stretch overlap, and lie evenly from end to end.
        firsts = np.searchsorted(self.stretch, self.stretch)
        afters = np.searchsorted(self.stretch, self.stretch, "right")
        return np.asarray((self.ends[afters - 1] - self.starts[firsts]) / (afters - firsts))


def place_windows(start: Seconds, end: Seconds) -> list[tuple[Seconds, Seconds]]:
    """Return (start, end) of the windows of one stretch of speech, evenly from end to end.

    >>> place_windows(1.0, 1.5)
    [(1.0, 1.5)]
    >>> place_windows(0.0, 2.4)
    [(0.0, 1.6), (0.4, 2.0), (0.8, 2.4)]
    """
    room = end - start - MIN_DURATION
    if room <= 0:
        return [(start, end)]
    steps = int(np.ceil(round(room / WINDOW_STEP, 6)))
    starts = [round(start + step * room / steps, 3) for step in range(steps + 1)]
    return [(begin, round(begin + MIN_DURATION, 3)) for begin in starts]


def compare_voices(windows: Windows) -> Similarities:
    """Cluster the windows of a recording, and return their cosines to each voice.

    Voices that say less than `MIN_VOICE` are left out, unless there is no other.
    """
    # Half a window of speech is too little to tell who speaks.
    is_reliable = windows.ends - windows.starts >= MIN_DURATION / 2
    if not is_reliable.any():
        is_reliable[:] = True
    low, high = MEAN_DISTANCES
    distance = min(max(DISTANCE_TO_SPREAD * measure_spread(windows, is_reliable), low), high)
    clustering = OnlineClustering(DistanceLimits(distance, MEANS_TO_WINDOWS * distance))
    assigned = clustering.assign(windows.embeddings[is_reliable].astype(np.float64))
    labels = np.full(len(is_reliable), -1)
    labels[is_reliable] = clustering.merge()[assigned]
    # One voice fewer at a time: what the rarest said may make another voice frequent enough.
    while True:
        voices = np.unique(labels[labels >= 0])
        means = np.stack([windows.embeddings[labels == voice].mean(axis=0) for voice in voices])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        # Rounded: the last digits of a matrix product differ between machines.
        similarities: Similarities = np.round(windows.embeddings @ means.T, 3).astype(np.float64)
        labels = assign_voices(windows, similarities)
        spoken = np.bincount(labels, windows.seconds, minlength=len(voices))
        rarest = int(spoken.argmin())
        if len(voices) == 1 or spoken[rarest] >= MIN_VOICE:
            return similarities
        labels[labels == rarest] = -1


def measure_spread(windows: Windows, is_reliable: NDArray[np.bool_]) -> float:
    """Return how far windows of one voice are apart: the median of those without a pause between.

    A voice seldom changes without a pause. Overlapping windows share speech and are nearer, so each
    is compared with the next that begins after its end. Where speech is too short for that, it is
    the first quartile of all successive windows, of which some are of one voice.
    """
    starts, ends = windows.starts[is_reliable], windows.ends[is_reliable]
    embeddings, stretch = windows.embeddings[is_reliable], windows.stretch[is_reliable]
    following = np.searchsorted(starts, ends)
    has_one = following < len(starts)
    if not has_one.any():
        return 0.0
    cosines = (embeddings[has_one] * embeddings[following[has_one]]).sum(axis=1)
    is_unbroken = stretch[has_one] == stretch[following[has_one]]
    if is_unbroken.sum() >= MIN_UNBROKEN:
        return round(float(np.median(1 - cosines[is_unbroken])), 3)
    return round(float(np.quantile(1 - cosines, 0.25)), 3)


def assign_voices(windows: Windows, similarities: Similarities) -> Labels:
    """Return the voice of each window, (windows,): the best sequence by a Viterbi search."""
    # By time and not by window: windows of long stretches overlap, those of short ones do not.
    evidence = similarities * windows.seconds[:, None]
    is_pause = np.diff(windows.stretch, prepend=-1) > 0
    costs = np.where(is_pause, CHANGE_AT_PAUSE, CHANGE_WITHIN_SPEECH)
    best = evidence[0]
    previous = np.zeros(similarities.shape, np.int64)
    for window in range(1, len(evidence)):
        changed = best.max() - costs[window]
        stays = best >= changed
        previous[window] = np.where(stays, np.arange(len(best)), best.argmax())
        best = np.where(stays, best, changed) + evidence[window]
    voices = np.empty(len(evidence), np.int64)
    voices[-1] = best.argmax()
    for window in range(len(evidence) - 1, 0, -1):
        voices[window - 1] = previous[window, voices[window]]
    return voices


def count_voices(
    windows: Windows,
    similarities: Similarities,
    cut: tuple[Seconds, Seconds],
    voice: int,
) -> int:
    """Return the number of voices in a cut: its own, and those that windows resemble more."""
    first, after = np.searchsorted((windows.starts + windows.ends) / 2, cut)
    nearest = similarities[first:after].argmax(axis=1)
    spoken = np.bincount(nearest, windows.seconds[first:after], minlength=similarities.shape[1])
    is_other = spoken > MIXED_SHARE * (cut[1] - cut[0])
    is_other[voice] = False
    return 1 + int(is_other.sum())
