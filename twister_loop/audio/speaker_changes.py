"""Cuts of recordings at speaker changes, with music and noise outside.

Speech is what voice activity detection finds, without music (`audio.sound_events`), and voices are
told apart by windows (`audio.voice_tracking`). Cuts hold one voice, and end at pauses or at the
quietest place near a change.

A recording is read block by block. In memory are one block, and 10 MB an hour of embeddings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.types import Seconds, Utterance
from . import sound_events, vad
from .io import MAX_DURATION_ERROR, SAMPLE_RATE, Samples
from .speaker_clustering import Labels
from .speaker_embedding import embed_windows
from .voice_tracking import Windows, assign_voices, compare_voices, count_voices, place_windows

MAX_PAUSE: Seconds = 1.5
"""Longest pause within a cut."""
SNAP: Seconds = 0.4
"""Greatest distance from a change to the quietest place nearby, where the cut falls."""
MIN_GAP: Seconds = 1.0
"""Shortest stretch outside of cuts that is told; less is a pause."""
MIN_BLOCK: Seconds = 0.1
"""Shortest block that is searched for speech."""
FRAMES_PER_SECOND = sound_events.FRAMES_PER_SECOND
FRAME = SAMPLE_RATE // FRAMES_PER_SECOND


@dataclass(frozen=True)
class Cut:
    """Speech of one voice."""

    start: Seconds
    """Counted from the start of the recording."""
    end: Seconds
    voice: int
    """Number of the voice within the recording, from 0."""
    voices: int
    """Number of voices that are probably in it."""


@dataclass(frozen=True)
class Gap:
    """Stretch outside of all cuts."""

    start: Seconds
    """Counted from the start of the recording."""
    end: Seconds
    is_music: bool
    """True if music or singing is in most of it."""


@dataclass(frozen=True)
class _Block:
    """Speech of a block, with times from the start of the recording."""

    stretches: list[tuple[Seconds, Seconds]]
    windows: list[list[tuple[Seconds, Seconds]]]
    """Windows of each stretch."""
    embeddings: NDArray[np.float32]
    """Embeddings of all windows, (windows, 256)."""
    levels: NDArray[np.float32]
    """Level of each frame of 10 ms, (frames,)."""
    is_music: NDArray[np.bool_]
    """True for frames with music, (frames,)."""


def find_cuts(recording: Utterance, limit: Seconds) -> tuple[list[Cut], list[Gap]]:
    """Return the cuts of a recording, each of one voice and none longer than `limit`.

    Args:
        recording: an utterance of any length; times count from its start.
        limit: the longest cut, more than 1 s.

    Returns:
        The cuts, and the gaps of at least `MIN_GAP` around them, both in the order of time.

    Raises:
        AudioError: the audio cannot be read.
        ConfigError: the weights of the speaker encoder are not installed.
    """
    blocks = [_analyze_block(block) for block in _read_speech(recording, limit)]
    levels = np.concatenate([block.levels for block in blocks])
    stretches = [stretch for block in blocks for stretch in block.stretches]
    cuts = list[Cut]()
    # Voices are compared over the whole recording: one block may hold only one of them.
    if stretches:
        windows = _number_windows(blocks)
        similarities = compare_voices(windows)
        voices = assign_voices(windows, similarities)
        turns = find_turns(windows, voices, stretches, levels)
        cuts = [
            Cut(start, end, voice, count_voices(windows, similarities, (start, end), voice))
            for start, end, voice in join_turns(turns, limit)
        ]
    is_music = np.concatenate([block.is_music for block in blocks])
    return cuts, find_gaps(cuts, len(levels) / FRAMES_PER_SECOND, is_music)


def measure_levels(samples: Samples) -> NDArray[np.float32]:
    """Return the level of each frame of 10 ms in dB, averaged over 50 ms, (frames,)."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.convolve((frames**2).mean(axis=1), np.ones(5) / 5, "same")
    return np.asarray(np.round(10 * np.log10(power + 1e-10)), np.float32)


def find_turns(
    windows: Windows,
    voices: Labels,
    stretches: Sequence[tuple[Seconds, Seconds]],
    levels: NDArray[np.float32],
) -> Iterator[tuple[Seconds, Seconds, int]]:
    """Yield (start, end, voice) of speech without a change or a pause, in the order of time."""
    bounds = np.searchsorted(windows.stretch, np.arange(len(stretches) + 1))
    for (start, end), first, after in zip(stretches, bounds, bounds[1:], strict=False):
        for window in range(first + 1, after):
            if voices[window] == voices[window - 1]:
                continue
            change = (windows.starts[window - 1] + windows.ends[window]) / 2
            # Windows overlap, so the change is somewhere between their middles.
            change = find_quietest(levels, change - SNAP, change + SNAP)
            # The quietest place may lie in a pause outside of the stretch.
            change = min(max(change, start), end)
            if change > start:
                yield start, change, int(voices[window - 1])
            start = change
        if end > start:
            yield start, end, int(voices[after - 1])


def find_quietest(levels: NDArray[np.float32], start: Seconds, end: Seconds) -> Seconds:
    """Return the middle of the quietest 50 ms between two times."""
    first = max(0, round(start * FRAMES_PER_SECOND))
    nearby = levels[first : max(first + 1, round(end * FRAMES_PER_SECOND))]
    return round((first + int(nearby.argmin()) + 0.5) / FRAMES_PER_SECOND, 3)


def join_turns(
    turns: Iterator[tuple[Seconds, Seconds, int]], limit: Seconds
) -> Iterator[tuple[Seconds, Seconds, int]]:
    """Yield cuts: neighboring speech of one voice, while pauses are short and the cut fits.

    >>> list(join_turns(iter([(0, 4, 0), (5, 9, 0), (12, 14, 0), (14, 15, 1)]), 30.0))
    [(0, 9, 0), (12, 14, 0), (14, 15, 1)]
    """
    cut: tuple[Seconds, Seconds, int] | None = None
    for start, end, voice in turns:
        if cut and voice == cut[2] and start - cut[1] <= MAX_PAUSE and end - cut[0] <= limit:
            cut = cut[0], end, voice
            continue
        if cut:
            yield cut
        cut = start, end, voice
    if cut:
        yield cut


def find_gaps(cuts: Sequence[Cut], duration: Seconds, is_music: NDArray[np.bool_]) -> list[Gap]:
    """Return what lies outside of cuts, as far as it is at least `MIN_GAP` long.

    >>> find_gaps([Cut(1.5, 3.0, 0, 1)], 3.5, np.ones(350, bool))
    [Gap(start=0.0, end=1.5, is_music=True)]
    """
    starts = [0.0, *(cut.end for cut in cuts)]
    ends = [*(cut.start for cut in cuts), duration]
    return [
        Gap(start, end, bool(is_music[_frame(start) : _frame(end)].mean() > 0.5))
        for start, end in zip(starts, ends, strict=True)
        if end - start >= MIN_GAP
    ]


def _read_speech(
    recording: Utterance, limit: Seconds
) -> Iterator[tuple[Seconds, Samples, list[tuple[Seconds, Seconds]]]]:
    """Yield where each block starts, its samples, and (start, end) of the voices in it.

    A block ends where the next one starts; times of voices count from the start of the block.
    """
    begin = 0.0
    while recording.duration - begin > MAX_DURATION_ERROR:
        length = min(vad.BLOCK_SECONDS, recording.duration - begin)
        block = vad.read_block(recording, begin, length)
        # A second less, so that a region still fits when its ends are moved.
        regions = vad.find_regions(block, limit - 2 * sound_events.MAX_EXTENSION)
        is_last = begin + length >= recording.duration
        if not is_last and len(regions) > 1 and regions[-1][1] > length - vad.BLOCK_END_SECONDS:
            # It may go on in the next block, which begins with it.
            length = _frame(regions.pop()[0]) / FRAMES_PER_SECOND
            block = block[: round(length * SAMPLE_RATE)]
        yield begin, block, regions
        begin += length


def _analyze_block(block: tuple[Seconds, Samples, list[tuple[Seconds, Seconds]]]) -> _Block:
    begin, samples, regions = block
    events = sound_events.detect(samples)
    stretches = sound_events.select_speech(regions, events)
    windows = [place_windows(*stretch) for stretch in stretches]
    embeddings = embed_windows(samples, [window for placed in windows for window in placed])
    return _Block(
        stretches=[(round(begin + start, 3), round(begin + end, 3)) for start, end in stretches],
        windows=[[(begin + start, begin + end) for start, end in placed] for placed in windows],
        embeddings=embeddings,
        levels=measure_levels(samples),
        is_music=events.is_music,
    )


def _number_windows(blocks: Sequence[_Block]) -> Windows:
    """Return the windows of all blocks, with the numbers of their stretches."""
    by_stretch = [placed for block in blocks for placed in block.windows]
    spans = np.array([window for placed in by_stretch for window in placed])
    numbers = np.repeat(np.arange(len(by_stretch)), [len(placed) for placed in by_stretch])
    embeddings = np.concatenate([block.embeddings for block in blocks])
    return Windows(spans[:, 0], spans[:, 1], numbers, embeddings)


def _frame(time: Seconds) -> int:
    return int(time * FRAMES_PER_SECOND + 1e-6)
