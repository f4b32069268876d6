"""Cache of file digests by path, size and modification time, shared by the rounds of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from . import schema
from .artifacts import find_run_root, read_json, write_json
from .digests import digest_path


class FileHashCache:
    """Digests of audio files; a file that has changed is hashed again.

    Use it in a `with` statement, which writes the cache to `hashes.json` of the run at its end.
    """

    def __init__(self, folder: Path) -> None:
        self._path = find_run_root(folder) / "hashes.json"
        self._digests: dict[str, tuple[int, int, str]] = (
            schema.parse_data(dict[str, tuple[int, int, str]], read_json(self._path))
            if self._path.is_file()
            else {}
        )

    def digest(self, path: Path) -> str:
        """Return 16 hexadecimal digits of the sha256 of a file's content. Raises OSError."""
        # A pool has hours of audio: hashing it takes minutes, reading its metadata a second.
        stat = path.stat()
        size, mtime_ns, digest = self._digests.get(str(path), (-1, -1, ""))
        if (size, mtime_ns) != (stat.st_size, stat.st_mtime_ns):
            digest = digest_path(path)
            self._digests[str(path)] = stat.st_size, stat.st_mtime_ns, digest
        return digest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        # Also after an exception: the digests computed so far stay valid.
        write_json(self._digests, self._path)
