"""Near-duplicates: recordings that are in a pool again at another rate, level or codec.

Files with the same bytes are found when a pool is listed; these only sound the same. As in Haitsma
and Kalker (2002), a recording is compared only with those that share a hash with it: 32 bits that
the fingerprints have in common somewhere, in recordings of about the same length.
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

HASHES_INDEXED = 32
"""Hashes indexed for each recording: the smallest ones after all hashes were shuffled alike. They
are mostly the same ones for two copies of a recording (MinHash; Broder, 1997)."""
MAX_NEIGHBORS = 64
"""Recordings with the same hash, nearest in length, that each recording is compared with. Without
a limit the hashes of silence, which many recordings have, would make all pairs."""
SHUFFLE = np.uint32(2_654_435_761)
"""Knuth's multiplicative hash, an odd number: multiplying by it, with overflow, permutes the 32-bit
numbers."""

Hashes = NDArray[np.uint32]
"""Shape (frames,): the 32 bits of every frame of a fingerprint."""
REJECTED_BY = "near_duplicate"


def find_near_duplicates(listing: Manifest, folder: Path) -> dict[int, int]:
    """Find the recordings that sound the same as an earlier one.

    Memory holds about a kilobyte a recording, however long it is.

    Args:
        listing: Recordings with their durations.
        folder: Folder for the fingerprints, one file a window. If it has some from a run that was
            killed, they are not computed again.

    Returns:
        For each later copy the line of its first copy, both counted from 0.
    """
    lengths = np.array([recording.duration for recording in listing])
    _write_fingerprints(listing, _has_similar_length(lengths), folder)
    first_copies = dict[int, int]()
    for first, later in _candidate_pairs(folder, lengths):
        if first in first_copies or later in first_copies:
            continue  # compared already, by the first copy
        if fingerprint.is_same_recording(
            _load_fingerprint(folder, first), _load_fingerprint(folder, later)
        ):
            first_copies[later] = first
    # The cached windows belong to files that the caller deletes.
    _load_window.cache_clear()
    log.info("%d of %d recordings are near-duplicates", len(first_copies), len(lengths))
    return first_copies


def drop_duplicates(listing: Manifest, first_copies: dict[int, int]) -> Iterator[Utterance]:
    """Yield all recordings of a listing, later copies rejected with the path of the first one.

    Args:
        listing: The recordings.
        first_copies: For each later copy the line of its first copy, from `find_near_duplicates`.
    """
    # Paths of first copies only, since a listing may be too long for memory.
    first_paths = dict.fromkeys(first_copies.values(), Path())
    for line, recording in enumerate(listing):
        if line in first_paths:
            first_paths[line] = recording.audio_filepath
        if line in first_copies:
            objection = f"the same recording as {first_paths[first_copies[line]]}"
            recording = replace(recording, rejected_by=REJECTED_BY, objection=objection)
        yield recording


def _has_similar_length(lengths: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return for every recording if another one has about its length; the rest need no reading.

    `lengths` and the result have shape (recordings,).
    """
    order = np.argsort(lengths, kind="stable")
    near = np.diff(lengths[order]) <= fingerprint.MAX_LENGTH_DIFFERENCE  # (recordings - 1,)
    # Sorted by length, a recording need only be compared with its two neighbors.
    similar = np.zeros(len(lengths), bool)
    similar[order[1:]] |= near
    similar[order[:-1]] |= near
    return similar


def _write_fingerprints(listing: Manifest, selected: NDArray[np.bool_], folder: Path) -> None:
    """Write the hashes of every window to a file; those not selected are empty."""
    folder.mkdir(exist_ok=True)
    recordings = show_progress(listing, "looking for near-duplicates", len(listing))
    for number, window in enumerate(iter_windows(recordings)):
        path = folder / f"{number:06d}.npz"
        if path.exists():  # written before the run was killed
            continue
        begin = number * WINDOW
        hashes = [
            _compute_hashes(recording) if selected[begin + place] else _no_hashes()
            for place, recording in enumerate(window)
        ]
        # One array and the sizes, because numpy stores arrays of different lengths as pickles.
        unfinished = folder / ".unfinished.npz"
        np.savez(unfinished, hashes=np.concatenate(hashes), sizes=list(map(len, hashes)))
        unfinished.rename(path)


def _compute_hashes(recording: Utterance) -> Hashes:
    """Return the hashes of a recording; none if it cannot be read, which the scan rejects."""
    # The scan rejects such a recording by its error, with or without a hash.
    if recording.error:
        return _no_hashes()
    try:
        bits = fingerprint.read_fingerprint(recording)  # (frames, 32)
    except AudioError:
        return _no_hashes()
    return np.packbits(bits, axis=1).view(np.uint32)[:, 0]


def _no_hashes() -> Hashes:
    return np.empty(0, np.uint32)


def _load_fingerprint(folder: Path, line: int) -> fingerprint.Fingerprint:
    """Return the fingerprint of the recording in a line, shape (frames, 32)."""
    hashes, borders = _load_window(folder / f"{line // WINDOW:06d}.npz")
    place = line % WINDOW
    own_hashes = hashes[borders[place] : borders[place + 1]]
    # The inverse of `_compute_hashes`.
    return np.unpackbits(own_hashes.view(np.uint8).reshape(-1, 4), axis=1).astype(bool)


@lru_cache(maxsize=256)  # of about 0.3 MB each; pairs come sorted by line, so few are needed
def _load_window(path: Path) -> tuple[Hashes, NDArray[np.int64]]:
    """Return the hashes of a window, and the borders between its recordings in them.

    The borders have shape (recordings + 1,).
    """
    with np.load(path) as arrays:
        borders = np.concatenate([[0], np.cumsum(arrays["sizes"])]).astype(np.int64)
        return arrays["hashes"], borders


def _candidate_pairs(folder: Path, lengths: NDArray[np.float64]) -> Iterator[tuple[int, int]]:
    """Yield pairs of lines that share a hash and have about the same length.

    The earlier line comes first in a pair; the pairs are sorted by the later line, then by the
    earlier one.
    """
    hashes, lines = _index_hashes(folder)
    # Recordings with the same hash become neighbors, those of similar length nearest.
    order = np.lexsort((lengths[lines], hashes))
    hashes, lines = hashes[order], lines[order]
    size, pairs = len(lengths), np.empty(0, np.int64)
    for step in range(1, min(MAX_NEIGHBORS, len(hashes) - 1) + 1):
        same_hash = np.flatnonzero(hashes[:-step] == hashes[step:])
        left = lines[same_hash].astype(np.int64)
        right = lines[same_hash + step].astype(np.int64)
        near = np.abs(lengths[left] - lengths[right]) <= fingerprint.MAX_LENGTH_DIFFERENCE
        # A pair as one number, so that numpy sorts pairs and drops repeated ones.
        codes = np.maximum(left, right) * size + np.minimum(left, right)
        pairs = np.union1d(pairs, codes[near])
    for code in pairs.tolist():
        later, first = divmod(code, size)
        yield first, later


def _index_hashes(folder: Path) -> tuple[Hashes, NDArray[np.int32]]:
    """Return some shuffled hashes of every recording, and the line that each belongs to.

    Both have shape (indexed hashes,).
    """
    indexed, lines = [_no_hashes()], [np.empty(0, np.int32)]
    for path in sorted(folder.glob("[0-9]*.npz")):
        hashes, borders = _load_window(path)
        shuffled = hashes * SHUFFLE  # overflows, as it should
        for place in range(len(borders) - 1):
            smallest = np.unique(shuffled[borders[place] : borders[place + 1]])[:HASHES_INDEXED]
            indexed.append(smallest)
            lines.append(np.full(len(smallest), int(path.stem) * WINDOW + place, np.int32))
    return np.concatenate(indexed), np.concatenate(lines)
