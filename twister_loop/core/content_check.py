"""Check of an artifact's files against the digests that its stage recorded.

A stage that reads an artifact must not take what somebody edited, or what a disk damaged, for what
the stage before wrote. Small files (manifests, reports, verdicts, JSON) are hashed whenever a stage
reads them. Weights and audio are hashed once in a process, which is when a run is resumed, and
again if their size or modification time differs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .digests import digest_path
from .errors import ConfigError, EditedError

PROVENANCE = "made.json"
"""Name of the file that records what an artifact was made from, and the digests of its files."""
TIMING, SPEED = "timing.json", "speed.json"
"""Names of the files with seconds: of the whole stage, and of its parts. They are not results."""
PRUNED = "thinned"
"""Name of an empty file. It marks an artifact whose weights or audio were deleted: it documents a
past round, and no stage may read it back."""
REDACTED = "redacted"
"""Key in the record of an artifact that lost speech on request: digests of its earlier records."""
NOTES = frozenset({PROVENANCE, TIMING, SPEED, PRUNED})
"""Names of the files that tell how an artifact was made, and are no results."""

SMALL_SUFFIXES = frozenset(".json .jsonl .yaml .txt .md .csv".split())
"""Suffixes of files that are hashed on every reading; a manifest of 100,000 lines takes 0.05 s."""

# By the folder of an artifact: a digest of names, sizes, times and recorded digests of its large
# files. One entry an artifact and not one a file: a voice writes a million of them.
_verified: dict[Path, str] = {}


def digest_files(folder: Path) -> dict[str, str]:
    """Return the digests of all results below a folder by their relative path, sorted."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and _is_result(file))
    return {file.relative_to(folder).as_posix(): digest_path(file) for file in files}


def read_record(folder: Path) -> dict[str, Any]:
    """Read `made.json` of an artifact: its inputs, and the digests of its files.

    Raises:
        ConfigError: It is missing or damaged, so nobody can tell what the artifact was made from.
    """
    path = folder / PROVENANCE
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):  # the last: brackets nested thousands deep
        record = None
    if not isinstance(record, dict):
        raise ConfigError(
            f"{path}: missing or damaged, so nothing tells what the folder was made from; restore "
            "the file (of a round in progress its folder can be deleted instead, and is made again)"
        )
    return record


def check_unchanged(folder: Path) -> None:
    """Check that the files of an artifact are those that its stage wrote.

    Raises:
        EditedError: A file has another content, or is missing.
        ConfigError: The record of the artifact cannot be read.
    """
    record = read_record(folder)
    digests: Mapping[str, str] = record.get("content", {})
    may_lack_files = (folder / PRUNED).exists() or REDACTED in record
    large = dict[str, str]()
    # In the order of the record, so that the first file that is named is the same every time.
    for name, digest in digests.items():
        path = folder / name
        if not path.is_file():
            if may_lack_files:
                continue
            raise EditedError(path, f"{path} is missing, although its stage wrote it; restore it")
        if path.suffix in SMALL_SUFFIXES:
            _check_file(path, digest)
        else:
            large[name] = digest
    signature = _describe(folder, large)
    if _verified.get(folder.absolute()) != signature:
        for name, digest in large.items():
            _check_file(folder / name, digest)
        _verified[folder.absolute()] = signature


def remember_as_written(folder: Path, digests: Mapping[str, str]) -> None:
    """Note that this process has just written an artifact, so that it need not hash it again."""
    large = {
        name: digest
        for name, digest in digests.items()
        if Path(name).suffix not in SMALL_SUFFIXES and (folder / name).is_file()
    }
    _verified[folder.absolute()] = _describe(folder, large)


def _check_file(path: Path, digest: str) -> None:
    if (now := digest_path(path)) != digest:
        raise EditedError(
            path,
            f"{path} is not what its stage wrote (digest {now}, recorded {digest}): it was edited "
            "or damaged since; restore it",
        )


def _describe(folder: Path, files: Mapping[str, str]) -> str:
    """Return a digest of the names, sizes, times and recorded digests of files."""
    # Times in nanoseconds: within a second a file can be written twice.
    hasher = hashlib.sha256()
    for name, digest in files.items():
        stat = (folder / name).stat()
        hasher.update(f"{name} {stat.st_size} {stat.st_mtime_ns} {digest}\n".encode())
    return hasher.hexdigest()


def _is_result(path: Path) -> bool:
    """Return whether a file of an artifact is a result whose digest is recorded.

    Logs, pages and the seconds that a stage took are no results; a repetition has others.
    """
    return path.name not in NOTES and path.suffix not in {".log", ".html"}
