"""Stages that train a voice, try it, and let it synthesize the text corpus."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from ...asr._base import BoundRecognizer
from ...core import schema
from ...core.artifacts import stage
from ...core.file_hashes import VerifiedManifest
from ...core.manifest import Manifest
from ...core.ranges import Fraction, Range
from ...core.types import Checkpoint, ErrorCount
from ...evaluation import metrics
from ...evaluation.trials import VoiceTrial
from ...tts._base import Synthesizer
from ..execution.shards import Cluster, RepeatedTexts, run_in_shards
from .pool_channel import PoolChannel, pass_through_channel

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VoiceTrialOptions:
    """The trial that a voice must pass before it synthesizes the whole text corpus."""

    texts: Annotated[int, Range(1, 1000000)] = 32
    """Number of texts, drawn by the seed."""
    at_most: Annotated[float, Range(0, 10)] = 0.35
    """Highest character error rate of the champion's transcripts that passes; 0.35 is 35 %."""
    # A voice of recorded words says only words that somebody said: not the ones that would teach.
    speaks_at_least: Fraction = 0.25
    """Smallest share of the texts that the voice must be able to speak; 0.25 is 25 %."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS


@stage(version=1)
def train_voice(
    synthesizer: Synthesizer,
    start: Checkpoint | None,
    filtered_labels: Manifest,
    texts: Manifest,
    champion: BoundRecognizer,
    seed: int,
    *,
    out: Path,
) -> Checkpoint:
    """Train a synthesizer on speech with trusted labels."""
    if synthesizer.experimental:
        log.warning(
            "voice %s: the synthesizer %s is experimental: %s",
            out.parent.name,  # the folder of the voice has the name that the plan gives it
            synthesizer.name,
            synthesizer.experimental,
        )
    verified = VerifiedManifest(filtered_labels.folder)
    return synthesizer.train(start, verified, texts, champion, out, seed).save(out)


@stage(version=1)
def refuse_voice(
    name: str, texts: int, speakable: int, options: VoiceTrialOptions, *, out: Path
) -> VoiceTrial:
    """Record the trial of a voice that is not trained, since it can speak too few texts."""
    return VoiceTrial(
        voice=name,
        texts=texts,
        synthesized=speakable,
        characters=ErrorCount(),
        limit=options.at_most,
        least_share=options.speaks_at_least,
    ).save(out)


@stage(version=4)
def try_voice(
    synthesizer: Synthesizer,
    voice: Checkpoint,
    name: str,
    texts: Manifest,
    champion: BoundRecognizer,
    channel: PoolChannel | None,
    options: VoiceTrialOptions,
    seed: int,
    *,
    out: Path,
) -> VoiceTrial:
    """Synthesize a few dozen texts and count the champion's errors on them.

    They sound as training will hear them, through a `channel` of the pool, unless it is None.
    """
    chosen = texts.draw(options.texts, seed)
    audio_folder = out / "audio"
    studio = synthesizer.synthesize(voice, chosen, audio_folder)
    # A text that the voice cannot speak is counted below, but is no error of the voice's sound.
    spoken = [
        utterance
        for utterance in pass_through_channel(channel, studio, audio_folder)
        if not utterance.error
    ]
    transcribed = Manifest.write(champion.transcribe(spoken), out)
    counts = [metrics.count_utterance_errors(utterance) for utterance in transcribed]
    return VoiceTrial(
        voice=name,
        texts=len(chosen),
        synthesized=len(spoken),
        characters=metrics.sum_counts(counts),
        limit=options.at_most,
        least_share=options.speaks_at_least,
    ).save(out)


@stage(version=5)
def synthesize(
    synthesizer: Synthesizer,
    voice: Checkpoint,
    texts: Manifest,
    samples_per_text: int,
    *,
    cluster: Cluster | None = None,
    out: Path,
) -> Manifest:
    """Synthesize every text, `samples_per_text` times."""
    return run_in_shards(
        partial(synthesizer.synthesize, voice),
        RepeatedTexts(texts, samples_per_text),
        "synthesizing",
        cluster,
        out,
    )
