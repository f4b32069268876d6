"""The pool's channel on synthetic speech, so that it sounds as the pool was recorded.

Synthetic speech comes from a studio, the pool from telephones and rooms. Each synthesized clip gets
band, spectrum, level and noise of a clip of the pool.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from ...audio import io as audio
from ...audio.recording_channel import (
    ChannelMeasurement,
    apply_channel,
    average_channels,
    measure_channel,
    measure_distance,
)
from ...core.artifacts import JsonRecord, stage
from ...core.errors import AudioError
from ...core.file_hashes import VerifiedManifest
from ...core.manifest import Manifest
from ...core.types import Checkpoint, Seconds, Utterance
from ...tts._base import Synthesizer
from ...tts._drawing import make_generator
from ..execution.shards import Cluster, run_in_shards

log = logging.getLogger(__name__)

POOL_CLIPS = 256
"""Most clips of the pool that are measured,"""
DRAWN_LABELS = 4 * POOL_CLIPS
"""and filtered labels that are drawn for them, as some are too short or human."""
DRAW_SEED = 0
"""Seed of what is measured. It is none of the round: runs with other seeds and the same labels then
share the synthetic speech of a voice that is not trained."""
VOICE_TEXTS = 16
"""Texts that the voice speaks to be measured: some 40 s, as long as a long-term average takes to
settle."""
SHORTEST_CLIP: Seconds = 1.0
"""Shorter clips tell more of their word than of their channel."""
NEIGHBORS = 16
"""Clips of the pool with the most similar spectra, of which each measurement is the mean: a few
words settle the spectrum of one clip, and a pool may hold several channels."""
FEWEST_CLIPS = 8
"""Fewest clips of the pool, and of the voice, that tell a channel."""


@dataclass(frozen=True)
class ChannelRecord(JsonRecord):
    """Measurements of a voice and of the pool."""

    pool: tuple[ChannelMeasurement, ...]
    """Clips of the pool, each the mean with its neighbors; empty if there are too few."""
    # With a default, since None is not written and must be read as it was.
    voice: ChannelMeasurement | None = None
    """Mean of the voice's clips; None if it spoke too few of its texts."""


@dataclass(frozen=True)
class PoolChannel:
    """Artifact with a `ChannelRecord`; stages name it by its folder, as it holds many numbers."""

    folder: Path

    @classmethod
    def load(cls, folder: Path) -> PoolChannel:
        return cls(folder)


@stage(version=2)
def measure_pool_channel(
    synthesizer: Synthesizer,
    voice: Checkpoint,
    texts: Manifest,
    filtered_labels: Manifest,
    *,
    out: Path,
) -> PoolChannel:
    """Measure the channels of a voice and of the pool's clips that passed the filters."""
    spoken = synthesizer.synthesize(voice, texts.draw(VOICE_TEXTS, DRAW_SEED), out / "audio")
    of_voice = list(_measure(spoken, shortest=0.0))
    # No manifest lists these clips, so nobody would find them who has to remove a voice.
    shutil.rmtree(out / "audio", ignore_errors=True)
    drawn = VerifiedManifest(filtered_labels.folder).draw(DRAWN_LABELS, DRAW_SEED)
    # Only the pool: human speech may have been recorded elsewhere.
    clips = (utterance for utterance in drawn if utterance.origin == "pseudo")
    of_pool = list(islice(_measure(clips, SHORTEST_CLIP), POOL_CLIPS))
    record = ChannelRecord(
        voice=average_channels(of_voice) if len(of_voice) >= FEWEST_CLIPS else None,
        pool=tuple(average_neighbors(of_pool)) if len(of_pool) >= FEWEST_CLIPS else (),
    ).save(out)
    _log_record(out.parent.name, record, len(of_voice), len(of_pool))
    return PoolChannel(out)


@stage(version=1)
def apply_pool_channel(
    speech: Manifest, channel: PoolChannel, *, cluster: Cluster | None = None, out: Path
) -> Manifest:
    """Write synthetic speech as the pool would have recorded it.

    Apart from the synthesis, which takes minutes and is the same in every round that speaks the
    same texts with the same voice, while the pool and its labels change.
    """
    return run_in_shards(
        partial(pass_through_channel, channel),
        VerifiedManifest(speech.folder),
        "applying the channel of the pool",
        cluster,
        out,
    )


def pass_through_channel(
    channel: PoolChannel | None, speech: Iterable[Utterance], out: Path
) -> Iterator[Utterance]:
    """Yield synthetic speech through a channel of the pool.

    Args:
        channel: The channel; None leaves speech as it was synthesized.
        speech: Synthetic speech, whose files are not changed unless they lie in `out`.
        out: Folder for the audio.
    """
    record = ChannelRecord.load(channel.folder) if channel else None
    if record is None or record.voice is None or not record.pool:
        yield from speech
        return
    for utterance in speech:
        if utterance.error:
            yield utterance
            continue
        # A generator of its own: the synthesizer's draws for this text must not steer the channel.
        generator = make_generator(f"channel of {utterance.id}")
        target = record.pool[generator.integers(len(record.pool))]
        path = out / f"{utterance.id}.wav"  # as synthesizers name their files
        samples = audio.load_utterance(utterance)
        audio.write(apply_channel(samples, record.voice, target, generator), path)
        yield replace(utterance, audio_filepath=path, made_by=f"{utterance.made_by}+pool_channel")


def _measure(speech: Iterable[Utterance], shortest: Seconds) -> Iterator[ChannelMeasurement]:
    for utterance in speech:
        if utterance.error or utterance.duration < shortest:
            continue
        try:
            measured = measure_channel(audio.load_utterance(utterance))
        except AudioError as error:
            log.warning("%s is not measured: %s", utterance.id, error)
            continue
        if measured:
            yield measured


def average_neighbors(clips: Sequence[ChannelMeasurement]) -> Iterator[ChannelMeasurement]:
    """Yield the mean of each clip with those of the most similar spectra, at its own level."""
    spectra = np.array([clip.spectrum for clip in clips])  # (clips, bands)
    for clip, spectrum in zip(clips, spectra, strict=True):
        distances = np.square(spectra - spectrum).sum(axis=1)
        # Stable, so that clips of equal spectra come in one order everywhere.
        nearest = np.argsort(distances, kind="stable")[:NEIGHBORS]
        yield replace(average_channels([clips[index] for index in nearest]), level=clip.level)


def _log_record(name: str, record: ChannelRecord, spoken: int, clips: int) -> None:
    if record.voice is None or not record.pool:
        log.warning(
            "voice %s: its speech does not get the channel of the pool, since %d of its texts and "
            "%d clips of the pool could be measured, and %d of each are needed",
            name,
            spoken,
            clips,
            FEWEST_CLIPS,
        )
        return
    pool = average_channels(record.pool)
    log.info(
        "voice %s: its spectrum is %.1f dB from that of the pool, which has a band of %.1f kHz and "
        "speech at %.0f dB; its speech gets the channels of %d clips",
        name,
        measure_distance(record.voice, pool),
        pool.bandwidth / 1000,
        pool.level,
        clips,
    )
