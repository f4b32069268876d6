"""The door to audiomentations (Jordal et al.), whose transforms these effects are."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import AudioError
from .. import io as audio
from ..io import SAMPLE_RATE, Samples

_ALONE = threading.Lock()


def apply_transform(transform: Any, samples: Samples, rng: np.random.Generator) -> Samples:
    """Samples after a transform that is drawn for certain, (n_samples,).

    It draws from the generators of Python and NumPy that the whole process shares, so these are
    made to follow `rng` meanwhile, and put back.
    """
    with _ALONE:
        ours, numpys = random.getstate(), np.random.get_state()
        random.seed(int(rng.integers(2**32)))
        np.random.seed(int(rng.integers(2**32)))
        try:
            made = transform(samples, SAMPLE_RATE)
        finally:
            random.setstate(ours)
            np.random.set_state(numpys)
    return np.asarray(made, dtype=np.float32)


def match_loudness(samples: Samples, before: Samples) -> Samples:
    """Samples at the loudness that they had before."""
    power, wanted = float(np.mean(samples**2)), float(np.mean(before**2))
    return samples * np.float32(np.sqrt(wanted / power)) if power > 0 else samples


def draw_recording(folder: Path, rng: np.random.Generator) -> Path:
    """One of the recordings in a folder."""
    return list_recordings(folder)[int(rng.integers(len(list_recordings(folder))))]


@lru_cache(maxsize=8)
def list_recordings(folder: Path) -> tuple[Path, ...]:
    """All audio in a folder, in a fixed order; it is looked through once."""
    found = folder.rglob("*") if folder.is_dir() else ()
    return tuple(
        sorted(each for each in found if each.suffix.lower() in audio.SUFFIXES and each.is_file())
    )


def find_folder_errors(option: str, folder: Path | None) -> Iterator[str]:
    """Why a folder of recordings is of no use."""
    if folder is None:
        return
    if not folder.is_dir():
        yield f"{option}: {folder} is no folder"
    elif not list_recordings(folder):
        yield f"{option}: {folder} holds no audio that libsndfile reads"
    else:
        for each in list_recordings(folder):
            try:
                audio.read_duration(each)
            except AudioError as error:
                yield f"{option}: {error}"
