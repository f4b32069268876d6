"""What of a recording is speech: channels, and stretches between pauses; no audio is copied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Literal

from ..audio import io as audio
from ..core import schema
from ..core.artifacts import used_by
from ..core.errors import AudioError
from ..core.types import Seconds, Utterance

BLOCK: Seconds = 600.0
"""Of a long recording, read at once."""
AT_THE_END: Seconds = 1.0
"""Speech that ends so shortly before a block does may go on after it."""


Column = Literal["bandwidth", "dnsmos", "embedding"]
"""Of a manifest, where it was asked for."""


@dataclass(frozen=True)
class SpeakerClustering:
    """When speech is not of one speaker: both distances are at least so large."""

    distance: float = 0.15
    """Cosine distance of their embeddings, on average over the utterances of two groups, from 0 to
    1. On telephone prompts 0.175 takes two women for one where they take turns, and a lower one
    leaves short utterances apart."""
    of_means: float = 0.1
    """The same of the mean embeddings of the groups, in which it no longer matters how short the
    utterances were. Of four people the two most alike are 0.14 apart."""
    at_least: Seconds = 1.6
    """What is shorter decides nothing, and is whoever of the same recording is nearest."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS

    def __post_init__(self) -> None:
        if not (0 < self.distance < 1 and 0 < self.of_means < 1):
            raise ValueError("distance, of_means: between 0 and 1")


@dataclass(frozen=True)
class ScanOptions:
    """What of the pool is speech at all."""

    at_least: Seconds = 0.2
    at_most: Seconds = 30.0
    """Longer files are cut at pauses."""
    channels: Literal["mixed", "split"] | int = "mixed"
    """`split` hears every channel apart, as telephone calls want it; a number, from 0, is one."""
    silence: float = -60.0
    """Decibels below full scale, root mean square."""
    duplicates: Literal["keep", "drop"] = "keep"
    """Whether of recordings that are the same, be it at another rate or level or in another codec,
    only the first is kept. The same bytes are always kept once."""
    estimate: tuple[Literal["bandwidth", "dnsmos"], ...] = used_by("estimate_columns", ())
    """Columns that filters of the same names then read: once for all rounds' filters."""
    speakers: SpeakerClustering | None = used_by("cluster_speakers", None)
    """Tell speakers apart by their voices; who is named already keeps the name."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS

    @property
    def columns(self) -> tuple[Column, ...]:
        """What is to be found out of every utterance."""
        return (*dict.fromkeys(self.estimate), *(("embedding",) if self.speakers else ()))


def scan_recording(terms: ScanOptions, file: Utterance) -> Iterator[Utterance]:
    """The stretches of speech in one file, or the file with the reason why there is none."""
    if file.rejected_by:
        yield file
        return
    try:
        if file.error:
            raise AudioError(file.error)
        for channel in _channels(terms, file):
            yield from _heard_through(terms, channel)
    except AudioError as error:
        yield replace(file, rejected_by="unreadable", objection=str(error))


def _channels(terms: ScanOptions, file: Utterance) -> list[Utterance]:
    """The file as often as it is to be heard. Raises AudioError."""
    if terms.channels == "mixed":
        return [file]
    if terms.channels == "split":
        count = audio.count_channels(file.audio_filepath)
        wanted = range(count) if count > 1 else ()
    else:
        wanted = range(terms.channels, terms.channels + 1)
    return [replace(file, id=f"{file.id}-c{each}", channel=each) for each in wanted] or [file]


def _heard_through(terms: ScanOptions, file: Utterance) -> Iterator[Utterance]:
    """What is speech in one channel. Raises AudioError."""
    if file.duration <= terms.at_most:
        samples = audio.load_utterance(file)
        duration, level = len(samples) / audio.SAMPLE_RATE, audio.measure_loudness(samples)
        if duration < terms.at_least:
            yield replace(file, rejected_by="too_short", objection=f"{duration:.2f} s")
        elif level < terms.silence:
            yield replace(file, rejected_by="silent", objection=f"{level:.0f} dB")
        else:
            yield file
        return
    number = 0
    for number, (offset, length) in enumerate(_stretches(terms, file), 1):
        yield replace(
            file,
            id=f"{file.id}-{number - 1:04d}",
            offset=round(file.offset + offset, 3),
            duration=round(length, 3),
        )
    if not number:
        yield replace(file, rejected_by="no_speech", objection="no speech found in it")


def _stretches(terms: ScanOptions, file: Utterance) -> Iterator[tuple[Seconds, Seconds]]:
    """Where there is speech in a long file, read block by block however long it is."""
    pauses = import_module("twister_loop.audio.vad")
    begin = 0.0
    while begin < file.duration:
        length = min(BLOCK, file.duration - begin)
        block = audio.read(file.audio_filepath, file.offset + begin, length, file.channel)
        found = list(pauses.split_at_pauses(block, terms.at_most))
        after = begin + length
        if after < file.duration and found and sum(found[-1]) > length - AT_THE_END:
            after = begin + found.pop()[0]  # it may go on in the next block
        yield from ((begin + offset, duration) for offset, duration in found)
        begin = after
