"""Speech of a run that a request means: recordings by path, name or id, and speakers by name."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core import schema
from ...core.digests import digest_path
from ...core.errors import ConfigError
from ...core.file_hashes import FileHashCache
from ...core.forgotten import DIGEST_LENGTH, Span, digest_name, is_cut_of, read_requests
from .manifests import (
    Line,
    find_manifests,
    is_inputs_list,
    normalize_name,
    read_lines,
    recording_path,
)

NEAR_DUPLICATE = re.compile("the same recording as (.+)", re.DOTALL)
"""Objection of the scan to a recording that is there already in another codec or level."""
SHOWN_PATHS = 5
"""Paths that an error message lists."""


@dataclass(frozen=True)
class Selection:
    """Speech to remove, by everything that names it in a run."""

    digests: frozenset[str]
    """Digests of the contents of whole recordings, with which ids begin."""
    ids: frozenset[str]
    """Ids of the utterances to remove from recordings that also hold other speakers."""
    spans: dict[str, tuple[Span, ...]]
    """The same as parts of the recordings, by the digest of the content."""
    speakers: frozenset[str]
    """Names of the speakers, as manifests spell them."""
    named_speakers: frozenset[str]
    """Those whom a corpus names; the others were found by clustering."""
    paths: frozenset[str]
    """Paths of whole recordings as manifests name them, in NFC."""
    files: tuple[str, ...]
    """The user's files that hold the speech, whole recordings and others."""

    def covers(self, fields: Line) -> bool:
        """Return True if a line of a manifest is of this speech, or was joined from it."""
        return (
            self.covers_id(fields["id"])
            or any(self.covers_id(piece.get("id", "")) for piece in fields.get("pieces", ()))
            or bool(self.speakers & set(split_speakers(fields.get("speaker"))))
            or normalize_name(fields.get("audio_filepath") or "") in self.paths
        )

    def covers_id(self, utterance_id: str) -> bool:
        """Return True if an utterance, or what it was cut from or copied from, is selected."""
        if is_cut_of(utterance_id, self.digests):
            return True
        if utterance_id[:DIGEST_LENGTH] not in self.spans:
            return False
        endings = (match.start() for match in re.finditer("[-:~]", utterance_id))
        return utterance_id in self.ids or any(
            utterance_id[:ending] in self.ids for ending in endings
        )


class RunIndex:
    """Recordings and speakers of a run, by all their names."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.digests_by_path: dict[str, set[str]] = defaultdict(set)
        self.speakers, self.named_speakers = set[str](), set[str]()
        self.near_duplicates: list[tuple[str, str]] = []
        for manifest in find_manifests(run):
            for fields in read_lines(manifest):
                if (path := recording_path(fields, manifest, run)) is None:
                    continue
                self.digests_by_path[path].add(fields["id"][:DIGEST_LENGTH])
                if speaker := fields.get("speaker"):
                    self.speakers.add(speaker)
                    if is_inputs_list(manifest, run):
                        self.named_speakers.add(speaker)
                if match := NEAR_DUPLICATE.fullmatch(fields.get("objection") or ""):
                    self.near_duplicates.append((path, match[1]))
        # A recording may be left in this file only, as after an interrupted removal.
        for path, digest in FileHashCache(run).listed_files():
            self.digests_by_path[path].add(digest)

    @property
    def digests(self) -> set[str]:
        """Digests of all recordings."""
        return {digest for digests in self.digests_by_path.values() for digest in digests}

    def find_recording(self, name: str) -> set[str]:
        """Return the digests of the recording that a user names by path, file name or id.

        Raises:
            ConfigError: The run has no such recording, or several files of that name.
        """
        listed_or_removed = self.digests | {
            digest for request in read_requests(self.run) for digest in request.recordings
        }
        if digests := self._find_by_path(name):
            return digests
        # By its content: the file may have been moved, or named otherwise, since it was listed.
        if Path(name).is_file() and (digest := digest_path(Path(name))) in listed_or_removed:
            return {digest}
        if name[:DIGEST_LENGTH] in listed_or_removed and (name[DIGEST_LENGTH:] or "-")[0] in "-:~":
            return {name[:DIGEST_LENGTH]}
        same_name = [
            path
            for path in self.digests_by_path
            if normalize_name(Path(path).name) == normalize_name(name)
        ]
        digests = {digest for path in same_name for digest in self.digests_by_path[path]}
        if len(same_name) == 1 or len(digests) == 1:
            return digests
        if same_name:
            listed = "\n  ".join(sorted(same_name)[:SHOWN_PATHS])
            raise ConfigError(
                f"{self.run}: {len(same_name)} recordings are called {name}; name one of them by "
                f"its path:\n  {listed}"
            )
        hint = schema.suggest_name(
            Path(name).name, {Path(path).name for path in self.digests_by_path}
        )
        # The list of all names could be a million long.
        nearest = f"; {hint}" if hint.startswith("did you mean") else ""
        raise ConfigError(
            f"{self.run}: no round has listed a recording {name}{nearest}. Name it by its path, "
            "its file name, or an id of the run's manifests"
        )

    def find_speaker(self, name: str) -> set[str]:
        """Return the spellings of a speaker's name in the run.

        Raises:
            ConfigError: There is no such speaker.
        """
        wanted = normalize_name(name)
        spellings = {speaker for speaker in self.speakers if normalize_name(speaker) == wanted}
        if spellings:
            return spellings
        requests = read_requests(self.run)
        if any(digest_name(name) in (*request.speakers, *request.clusters) for request in requests):
            return {name}
        if not self.speakers:
            raise ConfigError(
                f"{self.run}: no recording of this run has a speaker's name; name the person's "
                "recordings with --recording"
            )
        raise ConfigError(
            f"{self.run}: no speaker {name!r}; {schema.suggest_name(name, self.speakers)}"
        )

    def with_copies(self, digests: Collection[str], ids: Collection[str]) -> set[str]:
        """Return digests, and those of copies: in another codec or level, or annotated.

        Args:
            digests: Digests of whole recordings.
            ids: Ids of utterances of other recordings.
        """
        selected = set(digests)
        for path, copied in self.digests_by_path.items():
            # `twister annotate` writes a clip as a file that has the id of the clip for a name.
            if is_cut_of(Path(path).stem, digests) or Path(path).stem in ids:
                selected |= copied
        for path, other_path in self.near_duplicates:
            both = self.digests_by_path[path] | self.digests_by_path.get(other_path, set())
            if both & selected:
                selected |= both
        return selected

    def paths_of(self, digests: Collection[str]) -> list[str]:
        """Return the paths of recordings with these contents."""
        wanted = set(digests)
        return sorted(path for path, listed in self.digests_by_path.items() if listed & wanted)

    def _find_by_path(self, name: str) -> set[str]:
        wanted = normalize_name(os.path.abspath(name))  # noqa: PTH100  (links are not followed)
        digests = set[str]()
        for path, listed in self.digests_by_path.items():
            normalized = normalize_name(path)
            # Through a link, or in another spelling of the folder, it is the same file.
            is_same = normalized == wanted or (
                Path(normalized).name == Path(wanted).name and _is_same_file(path, name)
            )
            if is_same:
                digests |= listed
        return digests


def select(run: Path, recordings: Sequence[str], speakers: Sequence[str]) -> Selection:
    """Find the recordings and speakers that a user names.

    Raises:
        ConfigError: The run has no such recording or speaker; names the nearest.
    """
    index = RunIndex(run)
    digests = {digest for name in recordings for digest in index.find_recording(name)}
    names = {spelling for name in speakers for spelling in index.find_speaker(name)}
    of_speakers, ids, spans = _find_speech_of(names, run)
    digests = index.with_copies(digests | of_speakers, ids)
    paths = index.paths_of(digests)
    # A name that was removed already is no longer in any list of inputs.
    removed = {digest for request in read_requests(run) for digest in request.speakers}
    named = {name for name in names if name in index.named_speakers or digest_name(name) in removed}
    return Selection(
        digests=frozenset(digests),
        ids=frozenset(ids),
        spans={digest: spans[digest] for digest in sorted(spans) if digest not in digests},
        speakers=frozenset(names),
        named_speakers=frozenset(named),
        paths=frozenset(map(normalize_name, paths)),
        files=(*paths, *index.paths_of(spans)),
    )


def split_speakers(speaker: str | None) -> list[str]:
    """Return a speaker's name, and the single names if several were joined.

    >>> split_speakers("anna+bruno")
    ['anna+bruno', 'anna', 'bruno']
    """
    if not speaker:
        return []
    return [speaker, *speaker.split("+")] if "+" in speaker else [speaker]


def _find_speech_of(
    names: Collection[str], run: Path
) -> tuple[set[str], set[str], dict[str, tuple[Span, ...]]]:
    """Return what speakers said: digests of their own recordings, ids and parts of others."""
    if not names:
        return set(), set(), {}
    spans, ids = defaultdict[str, set[Span]](set), defaultdict[str, set[str]](set)
    shared = set[str]()
    for manifest in find_manifests(run):
        for fields in read_lines(manifest):
            if recording_path(fields, manifest, run) is None or not fields.get("speaker"):
                continue
            digest = fields["id"][:DIGEST_LENGTH]
            if not set(split_speakers(fields["speaker"])) & set(names):
                shared.add(digest)
                continue
            start = float(fields.get("offset", 0.0))
            end = round(start + float(fields.get("duration", 0.0)), 3)
            spans[digest].add(Span(start, end, fields.get("channel")))
            ids[digest].add(fields["id"])
    # Utterances without a speaker are too short to tell, or too unlike: they go with the rest.
    mixed = {digest: tuple(sorted(spans[digest], key=str)) for digest in spans if digest in shared}
    own = set(spans) - shared
    return own, {name for digest in mixed for name in ids[digest]}, mixed


def _is_same_file(path: str, name: str) -> bool:
    try:
        return os.path.samefile(path, name)  # noqa: PTH121
    except OSError:
        return False
