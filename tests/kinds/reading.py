"""What the library makes of a folder of recordings, in a process of its own.

python tests/kinds/reading.py FOLDER        writes an `Outcome` as JSON

It imports nothing of these tests, so that any version of the library can be tried.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FRAME = 320
"""Samples of a value of the envelope: 20 ms at 16 kHz."""


@dataclass
class Outcome:
    """Utterances and rejections of one folder."""

    seconds: float = 0.0
    """Duration of what is kept, as it was decoded."""
    listed: float = 0.0
    """Duration of the same utterances as the scan tells it."""
    envelope: list[float] = field(default_factory=list)
    """Loudness of the first utterance, every 20 ms."""
    kept: int = 0
    rejected: list[str] = field(default_factory=list)
    """Reason of each rejection, and its objection."""
    logged: list[str] = field(default_factory=list)


def envelope(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the loudness of every 20 ms of a recording."""
    whole = samples[: len(samples) // FRAME * FRAME].astype(np.float64)
    levels: NDArray[np.float64] = np.sqrt((whole.reshape(-1, FRAME) ** 2).mean(axis=1))
    return levels


def read(folder: Path) -> Outcome:
    """List, scan and decode everything in a folder, as a run does with its pool."""
    from twister_loop.audio import io as audio
    from twister_loop.data.corpora.audiofolder import AudioFolder
    from twister_loop.data.scanning import ScanOptions, scan_recording

    outcome = Outcome()
    handler = logging.Handler()
    handler.emit = lambda record: outcome.logged.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("twister_loop")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        for recording in AudioFolder(folder).utterances():
            for utterance in scan_recording(ScanOptions(), recording):
                if utterance.rejected_by:
                    objection = utterance.objection or ""
                    outcome.rejected.append(f"{utterance.rejected_by}: {objection}")
                    continue
                samples = audio.load_utterance(utterance)
                outcome.envelope = outcome.envelope or envelope(samples).tolist()
                outcome.kept += 1
                outcome.seconds += len(samples) / audio.SAMPLE_RATE
                outcome.listed += utterance.duration
    finally:
        logger.removeHandler(handler)
    return outcome


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(read(Path(sys.argv[1])))))
