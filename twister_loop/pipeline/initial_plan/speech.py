"""Speech under the keys of a first plan: as folders where they hold nothing else, else as lists."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.types import Language, Seconds
from .recordings import FolderRecordings, is_text
from .roles import Group
from .transcripts import Transcript

MAX_FOLDERS = 6
"""Folders of one pool that a plan names; more are better read as a list."""


@dataclass(frozen=True)
class Speech:
    """Speech under one key of a plan, in one place."""

    use: str
    """Corpus reader: `audiofolder`, `manifest` or `kaldi`."""
    place: Path
    """Folder or file that it reads; a list that is yet to be written for `lines`."""
    utterances: int
    seconds: Seconds
    language: Language | None = None
    """Language that its options name; None for that of the plan."""
    lines: tuple[Transcript, ...] = ()
    """Lines of a list that is written beside the plan; none for files that are there."""
    reason: str = ""
    """Reason for a list, or for a set that was drawn."""


def describe_pool(
    recordings: FolderRecordings, paths: Collection[Path], list_file: Path
) -> list[Speech]:
    """Return the folders that hold these recordings and no other ones, or else a list of them.

    Args:
        recordings: All recordings.
        paths: Those of the pool.
        list_file: Place of the list, if one is needed.
    """
    listed = sorted(paths)
    folders = _cover(recordings, set(listed))
    # Folders if possible: a folder may grow, and `twister up --watch` can watch it.
    if folders is None or len(folders) > MAX_FOLDERS:
        lines = tuple(Transcript(path, "") for path in listed if is_text(path))
        reason = "a list, since their folders hold transcribed or held-out recordings too"
        if odd := len(listed) - len(lines):
            reason += f"; without {odd} whose names are no text"
        seconds = measure(recordings, lines)
        return [Speech("manifest", list_file, len(lines), seconds, None, lines, reason)]
    speech = list[Speech]()
    for folder in folders:
        below = [path for path in listed if path.is_relative_to(folder)]
        lines = tuple(Transcript(path, "") for path in below)
        speech.append(Speech("audiofolder", folder, len(below), measure(recordings, lines)))
    return speech


def describe_group(
    recordings: FolderRecordings, group: Group, list_file: Path, language: Language | None
) -> Speech:
    """Return the place of the transcripts of a group, as a corpus or as a list to write.

    Args:
        recordings: All recordings.
        group: The transcripts.
        list_file: Place of the list, if one is needed.
        language: Language of the plan, which needs no option of its own.
    """
    seconds = measure(recordings, group.transcripts)
    count = len(group.transcripts)
    own = group.language if group.language != language else None
    # Columns of the corpus tell the language themselves.
    named = own if not all(line.lang for line in group.transcripts) else None
    source = group.source
    # Only a source that is used as a whole can be named as it is.
    is_whole = count == len(source.transcripts) and not group.is_divided and source.is_plain
    paths = {line.path for line in group.transcripts}
    if source.kind == "kaldi" and is_whole:
        return Speech("kaldi", source.place, count, seconds, named)
    if source.kind == "metadata" and source.is_plain:
        folder = source.place.parent
        # The folder of the table, if it holds nothing that the table does not name.
        if paths == {path for path in recordings.paths if path.is_relative_to(folder)}:
            return Speech("audiofolder", folder, count, seconds, named)
    if source.place.suffix.lower() == ".jsonl" and is_whole:
        return Speech("manifest", source.place, count, seconds, named)
    reason = "drawn by a hash" if group.is_divided else f"a list of those in {source.place.name}"
    return Speech("manifest", list_file, count, seconds, named, group.transcripts, reason)


def measure(recordings: FolderRecordings, transcripts: Iterable[Transcript]) -> Seconds:
    """Return the duration of transcripts by headers; those that were not read count as the mean."""
    mean = recordings.survey.seconds / max(1, recordings.survey.files)
    total = 0.0
    for line in transcripts:
        header = recordings.headers.get(line.path)
        total += line.duration or (header.duration if header else mean)
    return total


def write_list(speech: Speech, language: Language | None) -> None:
    """Write the list of a plan: a manifest with paths relative to itself."""
    speech.place.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(line, ensure_ascii=False) for line in _list_rows(speech, language))
    speech.place.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _list_rows(speech: Speech, language: Language | None) -> Iterable[dict[str, Any]]:
    for line in speech.lines:
        row: dict[str, Any] = {
            # Relative, so that plan and recordings can be moved together.
            "audio_filepath": os.path.relpath(line.path.absolute(), speech.place.parent.absolute()),
            "text": line.text or None,
            "lang": line.lang if line.lang != language else None,
            "speaker": line.speaker,
            "offset": line.offset or None,
            "duration": line.duration,
            "channel": line.channel,
        }
        yield {name: content for name, content in row.items() if content is not None}


def _cover(recordings: FolderRecordings, paths: set[Path]) -> list[Path] | None:
    """Return the fewest folders that hold these recordings and no other ones; None if none do."""
    below, wanted_below = Counter[Path](), Counter[Path]()
    for path in recordings.paths:
        # Twins are dropped when a folder is listed, and are no reason against it.
        for parent in path.parents:
            below[parent] += 1
            wanted_below[parent] += path in paths
            if parent == recordings.folder:
                break
    # By parent, since a folder of a hundred thousand folders is searched once and not for each.
    children = defaultdict[Path, list[Path]](list)
    for folder in below:
        # The working directory `.` is its own parent, and would be searched without end.
        if folder != recordings.folder:
            children[folder.parent].append(folder)
    has_own = {path.parent for path in paths}
    folders = list[Path]()
    pending = [recordings.folder]
    while pending:
        folder = pending.pop()
        if not wanted_below[folder]:
            continue
        if wanted_below[folder] == below[folder]:
            folders.append(folder)
            continue
        if folder in has_own:
            return None
        pending += children[folder]
    return sorted(folders)


def name_lists(names: Sequence[str]) -> list[str]:
    """Return names of sets that are safe as names of folders, each once.

    >>> name_lists(["dev", "dev", "test clean"])
    ['dev', 'dev-2', 'test-clean']
    """
    safe = list[str]()
    # A name becomes a folder of the run and part of file names, see `plan_checks.SAFE_NAME`.
    for name in names:
        letters = "".join(c if c.isalnum() or c in "_-." else "-" for c in name).strip("-._")
        stem = letters[:40] or "set"
        number = sum(other == stem or other.startswith(f"{stem}-") for other in safe) + 1
        safe.append(stem if number == 1 and stem not in safe else f"{stem}-{number}")
    return safe
