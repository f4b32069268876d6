"""Digests of listed files by path, size and modification time, shared by the rounds of a run.

They are computed when a file is listed, and tell later whether it is still the same file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Self

from . import schema
from .artifacts import find_run_root, read_json, write_json
from .digests import digest_path
from .errors import AudioError, ConfigError
from .manifest import Manifest
from .types import Utterance

CHANGED = "the file changed since it was listed"
"""Error of an utterance whose file has another content than the one that gave it its id."""


class FileHashCache:
    """Digests of audio files; a file that has changed is hashed again.

    Use it in a `with` statement, which writes the cache to `hashes.json` of the run at its end.
    """

    def __init__(self, folder: Path) -> None:
        self.run = find_run_root(folder)
        self._path = self.run / "hashes.json"
        self._digests: dict[str, tuple[int, int, str]] = {}
        if self._path.is_file():
            try:
                content = read_json(self._path)
                self._digests = schema.parse_data(dict[str, tuple[int, int, str]], content)
            except ValueError as cause:  # JSON, but not of this form
                raise ConfigError(
                    f"{self._path}: cannot be read ({cause}); restore it, or delete it to have all "
                    "recordings hashed again when they are listed"
                ) from cause

    def digest(self, path: Path) -> str:
        """Return 16 hexadecimal digits of the sha256 of a file's content. Raises OSError."""
        # A pool has hours of audio: hashing it takes minutes, reading its metadata a second.
        stat = path.stat()
        key = _absolute(path)
        size, mtime_ns, digest = self._digests.get(key, (-1, -1, ""))
        if (size, mtime_ns) != (stat.st_size, stat.st_mtime_ns):
            digest = digest_path(path)
            self._digests[key] = stat.st_size, stat.st_mtime_ns, digest
        return digest

    def has_changed(self, utterance: Utterance) -> bool:
        """Return whether a listed file has another content than when it was listed.

        The id of listed speech begins with the digest of its file. A file that was never listed,
        such as one that a stage wrote, has not changed; nor has one that is missing, which whoever
        reads it reports.
        """
        path = utterance.audio_filepath
        if _absolute(path) not in self._digests:
            return False
        try:
            # Hashed only if size or time differ: a copy with another time is the same file.
            return not utterance.id.startswith(self.digest(path))
        except OSError:
            return False

    def listed_files(self) -> Iterator[tuple[str, str]]:
        """Yield the absolute path of every listed file, and the digest of its content."""
        return ((path, digest) for path, (*_, digest) in self._digests.items())

    def forget(self, digests: Container[str]) -> None:
        """Remove the files with these digests, whose names must not stay in the run."""
        for path in [path for path, digest in self.listed_files() if digest in digests]:
            del self._digests[path]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        # Also after an exception: the digests computed so far stay valid.
        write_json(self._digests, self._path)


@dataclass(frozen=True)
class VerifiedManifest(Manifest):
    """Manifest whose utterances are marked with an error if their file changed meanwhile.

    Stages that read audio read it through this class: a label belongs to the recording that was
    listed, and not to another one that was put in its place.
    """

    def check(self, utterance: Utterance) -> None:
        """Raise AudioError if the utterance's file changed since it was listed."""
        if self._hashes().has_changed(utterance):
            raise AudioError(f"{utterance.audio_filepath}: {CHANGED}")

    def find_changed(self) -> Utterance | None:
        """Return the first utterance whose file changed since it was listed, if there is one."""
        hashes = self._hashes()
        return next((line for line in Manifest(self.folder) if hashes.has_changed(line)), None)

    def _line_parser(self) -> Callable[[bytes, int | None], Utterance]:
        parse, hashes = super()._line_parser(), self._hashes()

        def parse_and_check(line: bytes, number: int | None) -> Utterance:
            utterance = parse(line, number)
            if utterance.error or not hashes.has_changed(utterance):
                return utterance
            return replace(utterance, error=f"{utterance.audio_filepath}: {CHANGED}")

        return parse_and_check

    def _hashes(self) -> FileHashCache:
        root = find_run_root(self.folder)
        record = root / "hashes.json"
        # By its time: a later listing in the same process writes it anew.
        return _load_hashes(root, record.stat().st_mtime_ns if record.is_file() else 0)


def _absolute(path: Path) -> str:
    """Return a path as manifests name it, whatever the working directory of a stage is."""
    return os.path.abspath(path)  # noqa: PTH100  (`absolute` keeps "..", and `resolve` follows links)


# One run at a time; `mtime_ns` is only part of the key.
@lru_cache(maxsize=1)
def _load_hashes(run_root: Path, mtime_ns: int) -> FileHashCache:
    return FileHashCache(run_root)
