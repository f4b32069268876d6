"""Recordings that are in a pool more than once, as another rate, level or codec makes them.

The same bytes are found when a pool is listed; these only sound the same. As Haitsma and Kalker
(2002) do, a recording is held only against those with which it shares a hash: 32 bits that the
fingerprints have in common somewhere, in recordings that are about as long.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..audio import fingerprint
from ..core.errors import AudioError
from ..core.manifest import WINDOW, Manifest, iter_windows
from ..core.progress import show_progress
from ..core.types import Utterance

log = logging.getLogger(__name__)

INDEXED = 32
"""Hashes of a recording that are indexed: the smallest, when all are shuffled alike, are mostly
the same ones of two copies (MinHash; Broder, 1997)."""
NEIGHBORS = 64
"""Recordings with one hash, about as long, that each is held against: silence is in many."""

Hashes = NDArray[np.uint32]
"""(frames,): the 32 bits of every frame of a fingerprint."""
NAME = "near_duplicate"


def find_near_duplicates(listing: Manifest, scratch: Path) -> dict[int, int]:
    """Lines, from 0, that are an earlier one's recording, and which.

    Fingerprints lie in `scratch`, a file for every window, so it goes on where it was ended. In
    memory is about a kilobyte of every recording, however long it is.
    """
    lengths = np.array([each.duration for each in listing])
    _listen(listing, _paired(lengths), scratch)
    twice = dict[int, int]()
    for first, later in _candidates(scratch, lengths):
        if first in twice or later in twice:
            continue
        if fingerprint.is_same_recording(_print(scratch, first), _print(scratch, later)):
            twice[later] = first
    _of_window.cache_clear()
    log.info("%d of %d recordings are in the pool once more", len(twice), len(lengths))
    return twice


def drop_duplicates(listing: Manifest, twice: dict[int, int]) -> Iterator[Utterance]:
    """The listing, with what is there once more rejected."""
    firsts = dict.fromkeys(twice.values(), Path())
    for number, each in enumerate(listing):
        if number in firsts:
            firsts[number] = each.audio_filepath
        if number in twice:
            why = f"the same recording as {firsts[twice[number]]}"
            each = replace(each, rejected_by=NAME, objection=why)
        yield each


def _paired(lengths: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Of every recording, whether another is about as long; the rest need not be read."""
    order = np.argsort(lengths, kind="stable")
    near = np.diff(lengths[order]) <= fingerprint.LONGER
    paired = np.zeros(len(lengths), bool)
    paired[order[1:]] |= near
    paired[order[:-1]] |= near
    return paired


def _listen(listing: Manifest, wanted: NDArray[np.bool_], scratch: Path) -> None:
    """Leave the fingerprints of every window in a file."""
    scratch.mkdir(exist_ok=True)
    files = show_progress(listing, "looking for recordings that are there twice", len(listing))
    for number, window in enumerate(iter_windows(files)):
        home = scratch / f"{number:06d}.npz"
        if home.exists():
            continue
        begin = number * WINDOW
        found = [_hashes(each) if wanted[begin + at] else _none() for at, each in enumerate(window)]
        unfinished = scratch / ".unfinished.npz"
        np.savez(unfinished, hashes=np.concatenate(found), sizes=[len(each) for each in found])
        unfinished.rename(home)


def _hashes(utterance: Utterance) -> Hashes:
    """None of what cannot be read, which is rejected for that."""
    if utterance.error:
        return _none()
    try:
        bits = fingerprint.read_fingerprint(utterance)
    except AudioError:
        return _none()
    return np.packbits(bits, axis=1).view(np.uint32)[:, 0]


def _none() -> Hashes:
    return np.empty(0, np.uint32)


def _print(scratch: Path, line: int) -> fingerprint.Fingerprint:
    hashes, ends = _of_window(scratch / f"{line // WINDOW:06d}.npz")
    at = line % WINDOW
    mine = hashes[ends[at] : ends[at + 1]]
    return np.unpackbits(mine.view(np.uint8).reshape(-1, 4), axis=1).astype(bool)


@lru_cache(maxsize=256)
def _of_window(path: Path) -> tuple[Hashes, NDArray[np.int64]]:
    """The hashes of a window, and where those of each recording begin and end."""
    with np.load(path) as kept:
        return kept["hashes"], np.concatenate([[0], np.cumsum(kept["sizes"])]).astype(np.int64)


def _candidates(scratch: Path, lengths: NDArray[np.float64]) -> Iterator[tuple[int, int]]:
    """Pairs of lines that share a hash and are about as long, the earlier first, in order."""
    hashes, lines = _index(scratch)
    order = np.lexsort((lengths[lines], hashes))
    hashes, lines = hashes[order], lines[order]
    size, found = len(lengths), np.empty(0, np.int64)
    for step in range(1, min(NEIGHBORS, len(hashes) - 1) + 1):
        same = np.flatnonzero(hashes[:-step] == hashes[step:])
        one, other = lines[same].astype(np.int64), lines[same + step].astype(np.int64)
        near = np.abs(lengths[one] - lengths[other]) <= fingerprint.LONGER
        pairs = np.maximum(one, other) * size + np.minimum(one, other)
        found = np.union1d(found, pairs[near])
    for pair in found.tolist():
        later, first = divmod(pair, size)
        yield first, later


def _index(scratch: Path) -> tuple[Hashes, NDArray[np.int32]]:
    """Some hashes of every recording, shuffled, and the line of each."""
    hashes, lines = [_none()], [np.empty(0, np.int32)]
    for path in sorted(scratch.glob("[0-9]*.npz")):
        shuffled, ends = _of_window(path)
        shuffled = shuffled * np.uint32(2_654_435_761)  # Knuth's; it wraps around
        for at in range(len(ends) - 1):
            mine = np.unique(shuffled[ends[at] : ends[at + 1]])[:INDEXED]
            hashes.append(mine)
            lines.append(np.full(len(mine), int(path.stem) * WINDOW + at, np.int32))
    return np.concatenate(hashes), np.concatenate(lines)
