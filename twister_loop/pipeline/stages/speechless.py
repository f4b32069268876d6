"""The stage that finds clips of the pool without speech, for training on an empty text."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module
from itertools import tee
from pathlib import Path

from ...asr._base import Recognizer
from ...audio import io as audio
from ...core.artifacts import stage
from ...core.errors import AudioError
from ...core.file_hashes import VerifiedManifest
from ...core.manifest import Manifest
from ...core.segments import MAX_WINDOW
from ...core.types import Checkpoint, Utterance
from ...data.filters.no_speech import NoSpeech
from ..execution.shards import Cluster, run_in_shards
from .filtering import write_kept_and_rejected

SCAN_REASONS = frozenset({"silent", "no_speech"})
"""Reasons of a scan for rejecting a recording that may hold no speech."""
MADE_UP = frozenset({"hallucination", "recurrence"})
"""Filters that reject a label which the recognizer made up where nobody speaks."""


@stage(version=1)
def find_speechless(
    recognizer: Recognizer,
    checkpoint: Checkpoint,
    rejected_recordings: Manifest,
    rejected_labels: Manifest,
    *,
    cluster: Cluster | None = None,
    out: Path,
) -> Manifest:
    """Find clips of the pool without speech, and give them an empty text.

    A clip is taken only if two find no speech in it, since training on an empty text where somebody
    speaks would teach the recognizer to leave words out: the recognizer, whose transcript is empty,
    of no speech by its own probability, or made up (dropped by `hallucination` or `recurrence`);
    and voice activity detection.

    Args:
        recognizer: The decoder, for recordings that a scan rejected before they were transcribed.
        checkpoint: The weights it decodes with.
        rejected_recordings: What the scan rejected; long recordings are cut to 30 s.
        rejected_labels: Pseudo-labels that the filters rejected.
        cluster: Where shards run; None is this process.
        out: Folder of the clips without speech; `rejected/` in it holds the other candidates.
    """
    # In the folder itself, so that a killed stage resumes with the same lines.
    candidates = Manifest.write(
        _list_candidates(rejected_recordings, rejected_labels), out / "candidates"
    )
    engine = partial(_check_candidates, recognizer, checkpoint)
    source = VerifiedManifest(candidates.folder)
    checked = run_in_shards(engine, source, "looking for speech", cluster, out / "checked")
    manifest = write_kept_and_rejected(checked, out)
    for scratch_name in ("candidates", "checked"):
        shutil.rmtree(out / scratch_name, ignore_errors=True)
    return manifest


def _list_candidates(
    rejected_recordings: Manifest, rejected_labels: Manifest
) -> Iterator[Utterance]:
    """Yield recordings and cuts that may hold no speech, none longer than 30 s."""
    for recording in rejected_recordings:
        if recording.rejected_by in SCAN_REASONS:
            count = max(1, math.ceil(recording.duration / MAX_WINDOW))
            for number in range(count):
                yield replace(
                    recording,
                    id=f"{recording.id}-{number:04d}" if count > 1 else recording.id,
                    offset=round(recording.offset + number * recording.duration / count, 3),
                    duration=round(recording.duration / count, 3),
                    text=None,
                    rejected_by=None,
                    objection=None,
                )
    for label in rejected_labels:
        if label.origin == "pseudo" and not label.error and _finds_no_speech(label):
            yield replace(label, words=(), segments=(), alternatives=())


def _check_candidates(
    recognizer: Recognizer, checkpoint: Checkpoint, candidates: Iterable[Utterance], _: Path
) -> Iterator[Utterance]:
    """Transcribe what was not, and yield every candidate, speechless or rejected."""
    candidates, candidates_again = tee(candidates)
    untranscribed = (
        replace(candidate, skip=True) if candidate.pred_text is not None else candidate
        for candidate in candidates_again
    )
    transcribed = recognizer.transcribe(checkpoint, untranscribed)
    for candidate, answer in zip(candidates, transcribed, strict=True):
        yield _judge(answer if candidate.pred_text is None else candidate)


def _judge(candidate: Utterance) -> Utterance:
    """Return a transcribed candidate with an empty text, or rejected."""
    if candidate.error:
        return replace(candidate, rejected_by="error", objection=candidate.error)
    if not _finds_no_speech(candidate):
        objection = f"the recognizer writes {(candidate.pred_text or '')[:80]!r}"
        return replace(candidate, rejected_by="transcript", objection=objection)
    # Imported here, because it loads torch, which few plans need in this process.
    vad = import_module("twister_loop.audio.vad")
    try:
        bounds = vad.find_bounds(audio.load_utterance(candidate))
    except AudioError as error:
        return replace(candidate, error=str(error), rejected_by="error", objection=str(error))
    if bounds:
        objection = f"voice activity from {bounds[0]:.1f} to {bounds[1]:.1f} s"
        return replace(candidate, rejected_by="voice_activity", objection=objection)
    return replace(
        candidate, text="", origin="pseudo", speechless=True, rejected_by=None, objection=None
    )


def _finds_no_speech(label: Utterance) -> bool:
    """Return whether the recognizer finds no speech, or the filters do not believe that it does."""
    is_empty = not (label.pred_text or "").strip()
    return is_empty or label.rejected_by in MADE_UP or NoSpeech().objection(label) is not None
