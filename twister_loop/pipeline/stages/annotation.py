"""What can be known of an utterance without a word of it: its sound, and who speaks."""

from __future__ import annotations

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
from ...core.manifest import Manifest
from ...core.progress import progress
from ...core.types import Tally, Utterance
from ...data.scanning import Column, SpeakerClustering
from ..execution.shards import Cluster, run_in_shards

LISTED = 20
"""Speakers that are counted by name, those who speak most."""
UNKNOWN = -1


@dataclass(frozen=True)
class Speakers(JsonRecord):
    """Whose speech there is."""

    count: int
    most: dict[str, Tally]
    """Of those who speak most, by name."""
    unknown: Tally
    """Of those who could not be told."""


@stage(version=1)
def estimate_columns(
    columns: Sequence[Column],
    speech: Manifest,
    *,
    cluster: Cluster | None = None,
    out: Path,
) -> Manifest:
    """Note in every line how it sounds; what cannot be read is left to whoever hears it."""
    return run_in_shards(partial(_estimated, columns), speech, "estimating", cluster, out)


@stage(version=2)
def cluster_speakers(
    options: SpeakerClustering,
    speech: Manifest,
    earlier_speakers: Manifest | None = None,
    *,
    out: Path,
) -> Manifest:
    """Name the speakers by the embeddings in the lines, which are then dropped.

    Who said most of what `before` gives to a name, as an earlier round did, keeps that name. A new
    one is the corpus of the speaker's first utterance and a number, in the order of the lines.
    In memory are a few bytes of every line (with `before` its id too), the mean of every speaker,
    and the recordings that are compared at once.
    """
    clustering = import_module("twister_loop.audio.speaker_clustering")
    listened = progress(speech, "telling speakers apart", len(speech))
    limits = clustering.Limits(options.distance, options.of_means)
    numbers = clustering.told_apart(_recordings(listened, options), limits).tolist()
    named = Manifest.write(_named(speech, numbers, earlier_speakers), out)
    speakers_of(named).save(out)
    return named


def check(columns: Sequence[Column]) -> None:
    """Look, before a round begins, for what they need. Raises ConfigError."""
    for column in columns:
        try:
            _estimator(column)
            if column == "embedding":
                import_module("twister_loop.audio.speaker_clustering")
        except ModuleNotFoundError as cause:
            raise ConfigError(
                f"scan: {column} needs the package {cause.name!r}: "
                "pip install 'twister-loop[all]', or see the extras in pyproject.toml"
            ) from cause


def speakers_of(speech: Manifest) -> Speakers:
    """Whose speech it is, and how much of it."""
    tallies = dict[str | None, Tally]()
    for each in speech:
        tallies[each.speaker] = tallies.get(each.speaker, Tally()).plus(each.duration)
    unknown = tallies.pop(None, Tally())
    most = sorted(tallies.items(), key=lambda one: (-one[1].duration, one[0] or ""))
    return Speakers(len(most), {name or "": tally for name, tally in most[:LISTED]}, unknown)


def _estimator(column: Column) -> Callable[[Samples], Any]:
    """What finds it out; its package is imported only here."""
    if column == "bandwidth":
        return audio.bandwidth
    if column == "dnsmos":
        dnsmos = import_module("twister_loop.audio.dnsmos").dnsmos
        return lambda samples: round(dnsmos(samples), 3)
    embeddings = import_module("twister_loop.audio.speaker_embedding")
    embeddings.weights()
    return lambda samples: embeddings.noted(embeddings.of(samples))


def _estimated(
    columns: Sequence[Column], speech: Iterable[Utterance], _: Path
) -> Iterator[Utterance]:
    estimators = {column: _estimator(column) for column in columns}
    for each in speech:
        try:
            samples = audio.load_utterance(each)
        except AudioError:
            yield each
            continue
        found = {
            column: estimator(samples)
            for column, estimator in estimators.items()
            if column != "embedding" or not each.speaker
        }
        yield replace(each, **found)


def _recordings(
    speech: Iterable[Utterance], terms: SpeakerClustering
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """The embeddings of every recording, one after the other, and which are of enough speech."""
    read = import_module("twister_loop.audio.speaker_embedding").read
    for _, recording in groupby(speech, key=lambda each: (each.audio_filepath, each.channel)):
        told = [each for each in recording if each.embedding]
        if told:
            embeddings = np.stack([read(each.embedding) for each in told])
            yield embeddings, np.array([each.duration >= terms.at_least for each in told])


def _named(
    speech: Manifest, numbers: Sequence[int], before: Manifest | None
) -> Iterator[Utterance]:
    """The lines with names; there is a number for each that has an embedding."""
    names = _kept(speech, numbers, before) if before else dict[int, str]()
    taken = {each.speaker for each in chain(speech, before or ())}
    count = Counter[str]()
    for each, number in _numbered(speech, numbers):
        if number != UNKNOWN and number not in names:
            source = each.corpus or "speaker"
            count[source] += 1
            while f"{source}-{count[source]}" in taken:
                count[source] += 1
            names[number] = f"{source}-{count[source]}"
        yield replace(each, speaker=each.speaker or names.get(number), embedding=None)


def _kept(speech: Manifest, numbers: Sequence[int], before: Manifest) -> dict[int, str]:
    """The names of those who have one from before: of two who claim it, who said more of it."""
    called = {each.id: each.speaker for each in before if each.speaker}
    shared = Counter[tuple[int, str]]()  # milliseconds, which add up alike in any order
    for each, number in _numbered(speech, numbers):
        if number != UNKNOWN and (name := called.get(each.id)):
            shared[number, name] += round(1000 * each.duration)
    names, given = dict[int, str](), set[str]()
    for (number, name), _ in sorted(shared.items(), key=lambda one: (-one[1], one[0])):
        if number not in names and name not in given:
            names[number] = name
            given.add(name)
    return names


def _numbered(speech: Manifest, numbers: Sequence[int]) -> Iterator[tuple[Utterance, int]]:
    told = iter(numbers)
    return ((each, next(told) if each.embedding else UNKNOWN) for each in speech)
