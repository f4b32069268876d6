"""Stages that annotate the pool before it is transcribed: sound quality, bandwidth, speakers."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...audio import io as audio
from ...audio.io import Samples
from ...core.artifacts import JsonRecord, stage
from ...core.errors import AudioError, ConfigError
from ...core.file_hashes import VerifiedManifest
from ...core.manifest import Manifest
from ...core.progress import show_progress
from ...core.tallies import Tally
from ...core.types import Utterance
from ...data.scanning import EstimatedColumn, SpeakerClustering
from ..execution.shards import Cluster, run_in_shards

log = logging.getLogger(__name__)

LISTED_SPEAKERS = 20
"""Number of speakers that are counted by name; those who speak most."""
UNKNOWN = -1
"""Speaker number of an utterance without an embedding, or that fits no cluster."""


@dataclass(frozen=True)
class SpeakerCounts(JsonRecord):
    """Speech by speaker."""

    count: int
    """Number of speakers."""
    most: dict[str, Tally]
    """Speech of those who speak most, by name."""
    unknown: Tally
    """Speech without a speaker."""
    mixed: Tally = Tally()
    """Speech in cuts that probably hold several voices."""
    total: Tally = Tally()
    """All speech."""


@stage(version=1)
def estimate_columns(
    columns: Sequence[EstimatedColumn],
    speech: Manifest,
    *,
    cluster: Cluster | None = None,
    out: Path,
) -> Manifest:
    """Estimate columns such as bandwidth and DNSMOS for every utterance.

    An utterance that cannot be read is left as it is: transcribing it will give the reason.
    """
    engine = partial(_estimate, columns)
    return run_in_shards(engine, VerifiedManifest(speech.folder), "estimating", cluster, out)


@stage(version=3)
def cluster_speakers(
    options: SpeakerClustering,
    speech: Manifest,
    earlier_speakers: Manifest | None = None,
    *,
    out: Path,
) -> Manifest:
    """Name the speakers by the embeddings in the manifest, which are then dropped.

    A speaker who said most of what `earlier_speakers` gives to a name, keeps that name from round
    to round. A new name is the corpus of the speaker's first utterance and a number, in the order
    of the manifest.

    In memory are a few bytes of every utterance (with `earlier_speakers` its id too), the mean
    embedding of every speaker, and the recordings that are compared at once.
    """
    clustering = import_module("twister_loop.audio.speaker_clustering")
    utterances = show_progress(speech, "clustering speakers", len(speech))
    limits = clustering.DistanceLimits(options.distance, options.of_means)
    recordings = _recordings(utterances, options.at_least)
    numbers = clustering.cluster_speakers(recordings, limits).tolist()
    named = Manifest.write(_with_names(speech, numbers, earlier_speakers), out)
    counts = count_speakers(named)
    counts.save(out)
    if counts.mixed.utterances:
        log.warning(
            "%.1f %% of the speech, in %d of %d utterances, probably has several voices under one "
            "name; these have `voices` above 1 in the manifest",
            100 * counts.mixed.duration / counts.total.duration,
            counts.mixed.utterances, counts.total.utterances,
        )  # fmt: skip
    return named


def check_columns(columns: Sequence[EstimatedColumn]) -> None:
    """Check that the packages are installed which the columns need, before a round begins.

    Raises:
        ConfigError: A package is missing.
    """
    for column in columns:
        try:
            _estimator(column)
            if column == "embedding":
                # What cuts at speaker changes needs, too.
                import_module("twister_loop.audio.speaker_changes")
        except ModuleNotFoundError as cause:
            raise ConfigError(
                f"scan: {column} needs the package {cause.name!r}: "
                "pip install 'twister-loop[all]', or see the extras in pyproject.toml"
            ) from cause


def count_speakers(speech: Manifest) -> SpeakerCounts:
    """Count utterances and seconds by speaker."""
    tallies, mixed, total = dict[str | None, Tally](), Tally(), Tally()
    for utterance in speech:
        total = total.add(utterance.duration)
        if (utterance.voices or 1) > 1:
            mixed = mixed.add(utterance.duration)
        speaker = utterance.speaker
        tallies[speaker] = tallies.get(speaker, Tally()).add(utterance.duration)
    unknown = tallies.pop(None, Tally())
    by_duration = sorted(
        ((name or "", tally) for name, tally in tallies.items()),
        key=lambda speaker: (-speaker[1].duration, speaker[0]),
    )
    most = dict(by_duration[:LISTED_SPEAKERS])
    return SpeakerCounts(len(by_duration), most, unknown, mixed, total)


def _estimator(column: EstimatedColumn) -> Callable[[Samples], Any]:
    """Return the function that estimates a column from samples at 16 kHz.

    Its package is imported here and not at the top: most plans estimate nothing, and the packages
    are extras.
    """
    if column == "bandwidth":
        return audio.estimate_bandwidth
    if column == "dnsmos":
        dnsmos = import_module("twister_loop.audio.dnsmos").estimate_dnsmos
        return lambda samples: round(dnsmos(samples), 3)
    embedding = import_module("twister_loop.audio.speaker_embedding")
    embedding.find_weights()  # missing weights are an error now, not hours later
    return lambda samples: embedding.encode_embedding(embedding.embed(samples))


def _estimate(
    columns: Sequence[EstimatedColumn], speech: Iterable[Utterance], _: Path
) -> Iterator[Utterance]:
    estimators = {column: _estimator(column) for column in columns}
    for utterance in speech:
        if utterance.should_skip:
            yield utterance
            continue
        try:
            samples = audio.load_utterance(utterance)
        except AudioError:
            yield utterance
            continue
        estimates = {
            column: estimator(samples)
            for column, estimator in estimators.items()
            # The corpus names the speaker already, so no embedding is needed to find out.
            if column != "embedding" or not utterance.speaker
        }
        yield replace(utterance, **estimates)


def _recordings(
    speech: Iterable[Utterance], at_least: float
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.int64] | None]]:
    """Yield, for each recording, its embeddings, which come from enough speech, and the voices.

    Yields:
        Embeddings of shape (utterances, 256), a mask of shape (utterances,) that is true where an
        utterance lasts at least `at_least` seconds, and the voices within the recording of shape
        (utterances,), None if it was not cut at speaker changes.
    """
    parse = import_module("twister_loop.audio.speaker_embedding").decode_embedding
    by_recording = groupby(
        speech, key=lambda utterance: (utterance.audio_filepath, utterance.channel)
    )
    for _, recording in by_recording:
        embedded = [utterance for utterance in recording if utterance.embedding]
        if embedded:
            voices = [utterance.voice for utterance in embedded if utterance.voice is not None]
            yield (
                np.stack([parse(utterance.embedding) for utterance in embedded]),
                np.array([utterance.duration >= at_least for utterance in embedded]),
                np.array(voices) if len(voices) == len(embedded) else None,
            )


def _with_names(
    speech: Manifest, numbers: Sequence[int], earlier_speakers: Manifest | None
) -> Iterator[Utterance]:
    """Yield the utterances with speaker names.

    Args:
        speech: The pool.
        numbers: A speaker number for each utterance that has an embedding.
        earlier_speakers: The pool of an earlier round with its names.
    """
    names = (
        _earlier_names(speech, numbers, earlier_speakers) if earlier_speakers else dict[int, str]()
    )
    taken = {utterance.speaker for utterance in chain(speech, earlier_speakers or ())}
    count = Counter[str]()
    for utterance, number in _with_numbers(speech, numbers):
        if number != UNKNOWN and number not in names:
            source = utterance.corpus or "speaker"
            count[source] += 1
            while f"{source}-{count[source]}" in taken:
                count[source] += 1
            names[number] = f"{source}-{count[source]}"
        speaker = utterance.speaker or names.get(number)
        yield replace(utterance, speaker=speaker, embedding=None, voice=None)


def _earlier_names(
    speech: Manifest, numbers: Sequence[int], earlier_speakers: Manifest
) -> dict[int, str]:
    """Return the names that speakers keep, by number.

    Where two clusters share a name, the one with more of that speaker's speech keeps it.
    """
    names_by_id = {
        utterance.id: utterance.speaker for utterance in earlier_speakers if utterance.speaker
    }
    # Milliseconds, because integers add up to the same sum in any order.
    shared = Counter[tuple[int, str]]()
    for utterance, number in _with_numbers(speech, numbers):
        if number != UNKNOWN and (name := names_by_id.get(utterance.id)):
            shared[number, name] += round(1000 * utterance.duration)
    names, used = dict[int, str](), set[str]()
    by_amount = sorted(shared.items(), key=lambda overlap: (-overlap[1], overlap[0]))
    for (number, name), _ in by_amount:
        if number not in names and name not in used:
            names[number] = name
            used.add(name)
    return names


def _with_numbers(speech: Manifest, numbers: Sequence[int]) -> Iterator[tuple[Utterance, int]]:
    """Pair every utterance with its speaker number; only those with an embedding have one."""
    remaining = iter(numbers)
    return (
        (utterance, next(remaining) if utterance.embedding else UNKNOWN) for utterance in speech
    )
