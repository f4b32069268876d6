"""Neighboring cuts: which part of a recording was said right before which other."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import inf

import numpy as np
import numpy.typing as npt

from ..core.forgotten import DIGEST_LENGTH
from ..core.segments import MAX_WINDOW
from ..core.types import TEXT_ONLY, Seconds, Utterance

MAX_OVERLAP: Seconds = 0.05
"""Overlap of two neighbors: cuts are rounded, and may have a margin."""
MAX_RECORDED_PAUSE: Seconds = 2.0
"""Longest pause that is part of packed speech as it was recorded. Longer ones would fill the window
with silence; a breath or a hesitation is shorter."""
NO_SPEECH_REASONS = frozenset({"silent", "no_speech", "music"})
"""Reasons of a scan for leaving out what lies between cuts, where nobody speaks."""


def is_recorded_pause(before: Utterance, after: Utterance) -> bool:
    """Return True if the audio between two cuts is a short pause of their recording.

    >>> first = Utterance(id="a-0", duration=2.0)
    >>> is_recorded_pause(first, Utterance(id="a-1", offset=2.5, follows="a-0"))
    True
    >>> is_recorded_pause(first, Utterance(id="a-2", offset=2.5, follows="a-1"))
    False
    """
    return (
        after.follows == before.id
        and (after.audio_filepath, after.channel) == (before.audio_filepath, before.channel)
        and 0.0 <= round(recorded_pause(before, after), 6) <= MAX_RECORDED_PAUSE
    )


def recorded_pause(before: Utterance, after: Utterance) -> Seconds:
    """Return the seconds of their recording between two cuts; below 0 if they overlap."""
    return after.offset - before.offset - before.duration


class CutIndex:
    """Places of cuts in their recordings, in 25 bytes each and without their texts."""

    def __init__(self) -> None:
        self._recordings, self._is_left_out = array("q"), array("b")
        self.starts, self.ends = array("d"), array("d")
        """Start and end of each cut in its recording, in seconds."""
        self._incomplete = set[str]()
        """Digests of recordings of which a part was left out whose place is not known."""

    def __len__(self) -> int:
        return len(self.starts)

    def add(self, cut: Utterance, *, is_left_out: bool = False) -> None:
        """Add a cut, or one that is not trained on, such as a label that a filter rejected.

        What is left out has to be added first.
        """
        # A filter has a name of these too, but it rejects what was transcribed.
        if is_left_out and cut.rejected_by in NO_SPEECH_REASONS and cut.pred_text is None:
            return
        digest = cut.id[:DIGEST_LENGTH]
        if is_left_out and cut.audio_filepath == TEXT_ONLY:
            # Speech that somebody wants removed has no path and no time any more.
            self._incomplete.add(digest)
            return
        # A hash, since the paths of millions of cuts would fill the memory.
        name = f"{cut.audio_filepath}\0{cut.channel}".encode("utf-8", "surrogateescape")
        recording = int.from_bytes(blake2b(name, digest_size=8).digest(), signed=True)
        self._recordings.append(recording)
        self._is_left_out.append(is_left_out or digest in self._incomplete)
        self.starts.append(cut.offset)
        self.ends.append(cut.offset + cut.duration)

    def find_previous(self) -> npt.NDArray[np.int64]:
        """Return the index of the cut right before each one, (cuts,); -1 if there is none.

        A cut that overlaps others, or follows something that was left out, has none. Neither has
        one after a pause longer than 30 s, Whisper's window.
        """
        recordings = np.array(self._recordings, np.int64)
        starts, ends = np.array(self.starts), np.array(self.ends)
        left_out = np.array(self._is_left_out, bool)
        previous = np.full(len(self), -1, np.int64)
        if len(self) < 2:
            return previous
        order = np.lexsort((ends, starts, recordings))
        before, after = order[:-1], order[1:]
        is_same = recordings[before] == recordings[after]
        # The latest end so far, since a long cut may reach over several others. The recordings are
        # moved apart, so that one accumulation serves all.
        base = np.concatenate(([0], np.cumsum(~is_same))) * (ends.max() + 1.0)
        latest_ends = (np.maximum.accumulate(ends[order] + base) - base)[:-1]
        pauses = starts[after] - latest_ends
        is_previous = (
            is_same
            & ~left_out[before]
            & ~left_out[after]
            & (pauses >= -MAX_OVERLAP)
            & (pauses <= MAX_WINDOW)
        )
        previous[after[is_previous]] = before[is_previous]
        return previous


@dataclass(frozen=True)
class Stretches:
    """Stretches of neighboring cuts, one after the other in one array."""

    lines: array[int]
    bounds: array[int]
    """Where each stretch begins in `lines`, and where the last one ends."""

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, number: int) -> Sequence[int]:
        return self.lines[self.bounds[number] : self.bounds[number + 1]]


def find_stretches(
    lines: Iterable[int],
    previous: Sequence[int],
    following: Sequence[int],
    starts: Sequence[Seconds],
    durations: Sequence[Seconds],
) -> Stretches:
    """Join the lines of one group to stretches of at most 30 s of their recordings.

    Args:
        lines: Numbers of all lines of the group.
        previous: For every line, that of the cut right before it, if it is of the same group; -1
            if there is none.
        following: The same for the cut right after it.
        starts: Start of every line in its recording.
        durations: Duration of every line.

    >>> found = find_stretches([0, 1, 2], [-1, 0, -1], [1, -1, -1], [0, 20, 0], [18, 9, 5])
    >>> [list(found[number]) for number in range(len(found))]
    [[0, 1], [2]]
    """
    # Two arrays and not a list of lists, which would take 100 bytes for every clip of its own.
    joined, bounds = array("q"), array("q")
    for first in lines:
        if previous[first] >= 0:  # it comes with the cut before it
            continue
        line, start = first, -inf
        while line >= 0:
            if starts[line] + durations[line] - start > MAX_WINDOW:
                bounds.append(len(joined))
                start = starts[line]
            joined.append(line)
            line = following[line]
    bounds.append(len(joined))
    return Stretches(joined, bounds)
