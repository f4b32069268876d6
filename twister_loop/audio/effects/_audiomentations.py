"""Shared code of the effects that are transforms of audiomentations (Jordal et al.)."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from .. import io as audio
from .. import libsndfile
from ..io import SAMPLE_RATE, Samples

_global_random_lock = threading.Lock()


def apply_transform(transform: Any, samples: Samples, rng: np.random.Generator) -> Samples:
    """Return samples (n_samples,) after a transform of audiomentations with probability 1.

    audiomentations draws from the global generators of Python and NumPy. They are seeded from
    `rng` meanwhile and restored afterwards, so that nothing else in the process is affected.
    """
    # Training reads audio in several threads, which share the global generators.
    with _global_random_lock:
        python_state, numpy_state = random.getstate(), np.random.get_state()
        random.seed(int(rng.integers(2**32)))
        np.random.seed(int(rng.integers(2**32)))
        try:
            transformed = transform(samples, SAMPLE_RATE)
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
    return np.asarray(transformed, dtype=np.float32)


def match_loudness(samples: Samples, reference: Samples) -> Samples:
    """Return samples with the loudness of a reference; silence stays silence."""
    power, wanted_power = float(np.mean(samples**2)), float(np.mean(reference**2))
    return samples * np.float32(np.sqrt(wanted_power / power)) if power > 0 else samples


def draw_recording(folder: Path, rng: np.random.Generator) -> Path:
    """Draw one of the recordings in a folder."""
    paths = list_recordings(folder)
    return paths[int(rng.integers(len(paths)))]


# A folder of noise may have thousands of files, and every utterance draws from it.
@lru_cache(maxsize=8)
def list_recordings(folder: Path) -> tuple[Path, ...]:
    """Return all audio files below a folder, sorted; the folder is searched once a process."""
    paths = folder.rglob("*") if folder.is_dir() else ()
    return tuple(
        sorted(path for path in paths if path.suffix.lower() in audio.SUFFIXES and path.is_file())
    )


def find_folder_errors(option: str, folder: Path | None) -> Iterator[str]:
    """Yield what makes the folder of an option useless: it is missing, empty or unreadable."""
    if folder is None:
        return
    if not folder.is_dir():
        yield f"{option}: {folder} is not a folder"
    elif not list_recordings(folder):
        yield f"{option}: {folder} contains no audio"
    else:
        # All are opened now, so that no broken file ends a round hours later.
        for path in list_recordings(folder):
            try:
                # audiomentations reads them itself, and has libsndfile only.
                libsndfile.read_header(path)
            except (libsndfile.DecodeError, OSError) as cause:
                yield f"{option}: {path}: cannot read audio ({cause}); convert it to WAV"
