"""Search for files by the names that tables give them, which differ in form and spelling.

Macs write accents decomposed (NFD) and others composed (NFC), Windows writes backslashes and does
not tell capitals apart, and some lists leave the ending out.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path, PurePosixPath

_AMBIGUOUS = ""
"""Mark for a spelling that several files share, so that none of them is taken."""


class FileFinder:
    """Search for files below a folder, which reads each folder once at most.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Path(folder, "A.WAV").touch()
    ...     FileFinder(Path(folder)).find("./a.wav").name
    'A.WAV'
    """

    def __init__(self, folder: Path, suffixes: frozenset[str] = frozenset()) -> None:
        """Prepare a search.

        Args:
            folder: Folder that relative names start from.
            suffixes: Endings, in lower case, that a name may leave out.
        """
        self._folder = folder
        self._suffixes = suffixes
        self._listings: dict[Path, _Listing] = {}

    def find(self, name: str) -> Path | None:
        """Return the file of that name; None if there is none, or if several match.

        The name as it stands comes first, then the same with slashes for backslashes, in another
        Unicode form, in other capitals, and with an ending.
        """
        for spelling in dict.fromkeys((name, name.strip(), name.strip().replace("\\", "/"))):
            # Not `Path.is_file`, which raises for names that are too long or hold NUL.
            if spelling and os.path.isfile(path := self._folder / spelling):  # noqa: PTH113
                return path
        return self._find_by_parts(PurePosixPath(name.strip().replace("\\", "/")))

    def _find_by_parts(self, name: PurePosixPath) -> Path | None:
        """Return the file whose path matches part by part."""
        path = Path("/") if name.is_absolute() else self._folder
        parts = [part for part in name.parts if part != "/"]
        for number, part in enumerate(parts, 1):
            is_last = number == len(parts)
            if part == "..":
                path = path / part
                continue
            if path not in self._listings:
                self._listings[path] = _Listing(path, self._suffixes)
            actual = self._listings[path].find(part, is_last=is_last)
            if actual is None:
                return None
            path = path / actual
        return path if os.path.isfile(path) else None  # noqa: PTH113


class _Listing:
    """Names in one folder, by their spellings."""

    def __init__(self, folder: Path, suffixes: frozenset[str]) -> None:
        self._composed: dict[str, str] = {}
        self._folded: dict[str, str] = {}
        self._stems: dict[str, str] = {}
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208  (names are all that is needed)
        except (OSError, ValueError):
            names = []
        for name in names:
            composed = unicodedata.normalize("NFC", name)
            _add(self._composed, composed, name)
            _add(self._folded, composed.casefold(), name)
            stem, suffix = os.path.splitext(composed)  # noqa: PTH122
            if suffix.lower() in suffixes:
                _add(self._stems, stem, name)

    def find(self, name: str, *, is_last: bool) -> str | None:
        """Return the actual name of a file or folder; None if none or several match."""
        composed = unicodedata.normalize("NFC", name)
        actual = self._composed.get(composed) or self._folded.get(composed.casefold())
        if not actual and is_last:
            actual = self._stems.get(composed)
        return actual or None


def _add(names: dict[str, str], spelling: str, name: str) -> None:
    names[spelling] = _AMBIGUOUS if spelling in names else name
