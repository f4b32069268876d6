"""The digests of audio files, remembered by path, size and time of change."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from . import schema
from .artifacts import digest_path, read_json, find_run_root, write_json


class FileHashCache:
    """Remembers between rounds what was hashed; a file that changed is hashed again."""

    def __init__(self, folder: Path) -> None:
        self._path = find_run_root(folder) / "hashes.json"
        self._known: dict[str, tuple[int, int, str]] = (
            schema.parse_data(dict[str, tuple[int, int, str]], read_json(self._path))
            if self._path.is_file()
            else {}
        )

    def digest(self, path: Path) -> str:
        """16 hexadecimal digits of the sha256 of the content. Raises OSError."""
        stat = path.stat()
        size, changed, digest = self._known.get(str(path), (-1, -1, ""))
        if (size, changed) != (stat.st_size, stat.st_mtime_ns):
            digest = digest_path(path)
            self._known[str(path)] = stat.st_size, stat.st_mtime_ns, digest
        return digest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *trouble: object) -> None:
        """Also after trouble: what is known of a file stays true."""
        write_json(self._known, self._path)
