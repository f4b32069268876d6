"""Survey of the recordings of a folder: hours, formats, rates, channels, lengths, duplicates.

Headers are read and nothing is decoded. A folder of many files is sampled: what is not read within
a few seconds is estimated from what was.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TypeVar

from ...audio import io as audio
from ...audio.decoding import identify
from ...core.errors import AudioError, ConfigError
from ...core.progress import show_progress
from ...core.types import Seconds
from ...data.corpora._walk import ARCHIVES, FolderWalk, show_name

K = TypeVar("K", str, int)
HEADER_SECONDS: Seconds = 10.0
"""Time after which no more headers are read."""
DUPLICATE_SECONDS: Seconds = 10.0
"""Time after which no more files of equal size are compared."""
LEAST_SAMPLE = 200
"""Headers that are read in any case: an estimate from fewer is no help."""
MAX_EXAMPLES = 3


@dataclass(frozen=True)
class Header:
    """What the header of a recording says."""

    duration: Seconds
    rate: int
    channels: int


@dataclass(frozen=True)
class RecordingSurvey:
    """Recordings of a folder, as far as lists and headers tell."""

    files: int
    seconds: Seconds
    """Duration of all; an estimate if `headers_read` is less than `files`."""
    headers_read: int
    formats: Mapping[str, int]
    """Files by ending, `none` for those without."""
    rates: Mapping[int, int]
    """Files by sample rate in hertz, among those whose header was read."""
    channels: Mapping[int, int]
    shortest: Seconds
    median: Seconds
    longest: Seconds
    duplicates: int
    """Files with the same bytes as another one, which are read once."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Reasons by file for the first that cannot be read."""
    unreadable_count: int = 0
    not_read: Mapping[str, int] = field(default_factory=dict)
    """Files that may hold speech and are not read, by reason or ending."""

    @property
    def is_sampled(self) -> bool:
        """True if the numbers are estimates from a sample."""
        return self.headers_read < self.files


@dataclass(frozen=True)
class FolderRecordings:
    """Recordings of a folder one by one, and their survey."""

    folder: Path
    paths: tuple[Path, ...]
    """All that can be read as far as it is known, sorted."""
    headers: Mapping[Path, Header]
    twins: Mapping[Path, Path]
    """First file with the same bytes, by each later one."""
    survey: RecordingSurvey

    def first_twin(self, path: Path) -> Path:
        """Return the first recording with the same bytes, often the recording itself."""
        return self.twins.get(path, path)


def survey_recordings(folder: Path) -> FolderRecordings:
    """List the recordings of a folder and read their headers, or those of a sample.

    Raises:
        ConfigError: The folder is missing, cannot be listed, or holds no recording that can be
            read; the message says what it holds instead.
    """
    walk = FolderWalk(folder)
    listed = [
        file.path
        for file in show_progress(walk, "listing files")
        # A name that is no text could not be written into a list or a plan.
        if not file.rejected_by
    ]
    if not listed:
        raise ConfigError(_explain_no_recordings(walk))
    headers, errors = _read_headers(listed)
    # Films without sound, files of another program: each has a reason, and the first one helps.
    if not headers:
        reason = next(iter(errors.values()))
        raise ConfigError(
            f"{folder}: none of {len(listed)} files can be read as speech; the first one: {reason}"
        )
    paths = tuple(path for path in listed if path not in errors)
    # Before roles are given, so that no copy gets another one than its original.
    twins = _find_twins(paths)
    durations = sorted(header.duration for header in headers.values())
    return FolderRecordings(
        folder=folder,
        paths=paths,
        headers=headers,
        twins=twins,
        survey=RecordingSurvey(
            files=len(paths),
            # The mean of a random sample is that of all; with all headers it is exact.
            seconds=sum(durations) * len(paths) / len(headers),
            headers_read=len(headers),
            formats=_count(path.suffix.lower().lstrip(".") or "none" for path in paths),
            rates=_count(header.rate for header in headers.values()),
            channels=_count(header.channels for header in headers.values()),
            shortest=durations[0],
            median=median(durations),
            longest=durations[-1],
            duplicates=len(twins),
            unreadable={
                show_name(path.name): reason for path, reason in list(errors.items())[:MAX_EXAMPLES]
            },
            unreadable_count=len(errors),
            # By reason or by ending, whichever tells the user more.
            not_read={**walk.rejected.counts, **walk.unknown.counts},
        ),
    )


def _read_headers(paths: Sequence[Path]) -> tuple[dict[Path, Header], dict[Path, str]]:
    """Return headers and errors by file, for all files or for a sample that a hash draws."""
    headers, errors = dict[Path, Header](), dict[Path, str]()
    deadline = time.monotonic() + HEADER_SECONDS
    # Drawn, and not the first ones: the first folder may be unlike the rest.
    drawn = sorted(paths, key=lambda path: hash_text(str(path)))
    for path in show_progress(drawn, "reading headers", len(drawn)):
        if time.monotonic() > deadline and len(headers) + len(errors) >= LEAST_SAMPLE:
            break
        try:
            source = identify(path)
            duration = source.duration or audio.read_duration(path)
            headers[path] = Header(duration, source.rate, source.channels)
        except AudioError as cause:
            errors[path] = str(cause)
    return headers, errors


def _find_twins(paths: Iterable[Path]) -> dict[Path, Path]:
    """Return files with the same bytes as an earlier one, with that one."""
    # Files of different sizes differ, so most are never read.
    by_size: dict[int, list[Path]] = {}
    for path in paths:
        try:
            by_size.setdefault(path.stat().st_size, []).append(path)
        except OSError:  # deleted meanwhile
            continue
    candidates = [path for group in by_size.values() if len(group) > 1 for path in group]
    deadline = time.monotonic() + DUPLICATE_SECONDS
    twins, first_with = dict[Path, Path](), dict[bytes, Path]()
    for path in show_progress(candidates, "comparing files", len(candidates)):
        # What is not compared in time is found by the search before a round, which reads it all.
        if time.monotonic() > deadline:
            break
        digest = _hash_file(path)
        if digest and (first := first_with.setdefault(digest, path)) != path:
            twins[path] = first
    return twins


def _hash_file(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "blake2b").digest()
    except OSError:
        return None


def is_text(path: Path) -> bool:
    """Return whether the name of a file is text, which a list can hold; others need a new name."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def hash_text(text: str) -> str:
    """Return a hash that draws files, recordings and speakers in the same order everywhere.

    >>> hash_text("a") < hash_text("b")
    False
    """
    # Names of files may hold bytes that are no text.
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _count(kinds: Iterable[K]) -> dict[K, int]:
    """Return how often each kind occurs, the most frequent first."""
    return dict(Counter(kinds).most_common())


def _explain_no_recordings(walk: FolderWalk) -> str:
    """Return what a folder without recordings holds instead."""
    # First, because an archive is most likely what the user meant.
    archives = sum(count for ending, count in walk.unknown.counts.items() if ending in ARCHIVES)
    if archives:
        return (
            f"{walk.folder}: no recordings in it, but {archives} archives ({walk.unknown}); unpack "
            "them and name the folder with the files"
        )
    contents = [
        f"{count.total} files {what}: {count}"
        for what, count in (
            ("of unknown kinds", walk.unknown),
            ("that cannot be read", walk.rejected),
            ("without sound", walk.no_speech),
            ("that are hidden", walk.hidden),
        )
        if count.total
    ]
    if walk.runs.total:
        contents.append("runs of this program, whose speech is synthetic")
    held = "; ".join(contents) or "the folder is empty"
    return f"{walk.folder}: no recordings in it ({held}); name a folder that holds audio files"
