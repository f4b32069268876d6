"""Digests of files and folders, which tell whether their content has changed, and sizes."""

from __future__ import annotations

import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path


def digest_path(path: Path) -> str:
    """Return the first 16 hexadecimal digits of the sha256 of a file, or of a folder's files."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        # The names count too: they may be the ids of recordings.
        digests = [(file.relative_to(path).as_posix(), _digest_file(file)) for file in files]
        # 64 bits are enough to notice a change; nobody forges a collision here.
        return hashlib.sha256(json.dumps(digests).encode()).hexdigest()[:16]
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _digest_file(path: Path) -> str:
    stat = path.stat()
    return _digest_unchanged_file(path, stat.st_mtime_ns, stat.st_size)


# Many stages hash the same folder of noise recordings: its files are read once per process.
@lru_cache(maxsize=1 << 16)
def _digest_unchanged_file(path: Path, mtime_ns: int, size: int) -> str:
    """Return the digest of a file; time and size are part of the key of this function's cache."""
    return digest_path(path)


def folder_size(folder: Path) -> int:
    """Return the size of all files below a folder in bytes; a link counts as itself."""
    return sum(
        os.lstat(Path(parent) / name).st_size
        for parent, _, names in os.walk(folder)
        for name in names
    )
