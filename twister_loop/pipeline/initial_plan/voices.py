"""Estimate of how many people speak in a folder, from a sample of its recordings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from importlib import import_module

import numpy as np

from ...audio import io as audio
from ...core.errors import AudioError
from ...core.progress import show_progress
from ...core.types import Seconds, Utterance
from ...data.scanning import SpeakerClustering
from ..model_needs import find_embedding_weights
from .listening import draw_clips
from .recordings import FolderRecordings

CLIPS = 60
"""Recordings that are compared: a dozen voices show themselves in them."""
CLIP_SECONDS: Seconds = 10.0
MIN_CLIPS, MIN_SHARE = 2, 0.05
"""Clips, and share of them, in which a voice has to occur to be counted: of 60 clips of one man on
the telephone 51 were one voice, 2 another one, and 7 were alone."""


@dataclass(frozen=True)
class VoiceCount:
    """Voices of a sample, or the reason why they were not counted."""

    voices: int = 0
    clips: int = 0
    """Clips that were compared, one a recording. A clip with several voices counts as one."""
    skipped: str | None = None


def count_voices(recordings: FolderRecordings) -> VoiceCount:
    """Estimate the number of speakers, as `scan: {speakers: {}}` tells them apart."""
    if problem := find_embedding_weights().problem:
        return VoiceCount(skipped=problem)
    # Imported where they compute: PyTorch and scikit-learn take seconds.
    embedding = import_module("twister_loop.audio.speaker_embedding")
    clustering = import_module("twister_loop.audio.speaker_clustering")
    limits = SpeakerClustering()
    # What is shorter than this names nobody in a scan either.
    candidates = [
        path
        for path, header in recordings.headers.items()
        if header.duration >= limits.at_least and path not in recordings.twins
    ]
    embeddings = []
    clips = draw_clips(recordings, candidates, CLIPS, CLIP_SECONDS)
    for clip in show_progress(clips, "comparing voices", len(clips)):
        embeddings += [embedding.embed(samples) for samples in _load(clip)]
    labels = clustering.cluster_speakers(
        # Each clip as a recording of its own: nothing says which of them are of one person.
        ((vector[None], np.array([True]), None) for vector in embeddings),
        clustering.DistanceLimits(limits.distance, limits.of_means),
    )
    clips_by_voice = Counter(labels.tolist())
    # A short clip often resembles none of the same voice: alone, it is no evidence for another.
    least = max(MIN_CLIPS, MIN_SHARE * len(embeddings))
    repeated = sum(count >= least for count in clips_by_voice.values())
    return VoiceCount(max(1, repeated) if embeddings else 0, len(embeddings))


def _load(clip: Utterance) -> list[audio.Samples]:
    try:
        return [audio.load_utterance(clip)]
    except AudioError:  # the survey tells what cannot be read
        return []
