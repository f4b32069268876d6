"""A manifest: a folder with `manifest.jsonl`, one utterance a line, read and written lazily."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from . import schema
from .artifact import root_of
from .errors import ManifestError
from .records import UNSPOKEN, Seconds, Utterance

T = TypeVar("T")

WINDOW = 256
"""Lines that are worked on, appended and repeated together; an engine never looks further."""


@dataclass(frozen=True)
class Manifest:
    """Utterances on disk. Iterating reads the file anew, so it never sits in memory whole."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "manifest.jsonl"

    def __iter__(self) -> Iterator[Utterance]:
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    utterance = schema.parse(Utterance, line)
                except ValueError as cause:
                    raise ManifestError(f"{self.path}:{number}: {cause}") from cause
                yield replace(utterance, audio_filepath=self._there(utterance.audio_filepath))

    def __len__(self) -> int:
        with self.path.open("rb") as lines:
            return sum(1 for _ in lines)

    @property
    def duration(self) -> Seconds:
        """Of all utterances together."""
        return sum(utterance.duration for utterance in self)

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        manifest = cls(folder)
        if not manifest.path.is_file():
            raise ManifestError(f"{manifest.path}: no such manifest")
        return manifest

    @contextmanager
    def appending(self, mode: str = "w") -> Iterator[Callable[[Iterable[Utterance]], None]]:
        """Give a function that appends utterances and hands them to the system at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        home, root = self.folder.absolute(), root_of(self.folder)
        with self.path.open(mode, encoding="utf-8") as lines:

            def append(utterances: Iterable[Utterance]) -> None:
                lines.write("".join(f"{_line(each, home, root)}\n" for each in utterances))
                lines.flush()

            yield append

    @classmethod
    def write(cls, utterances: Iterable[Utterance], folder: Path) -> Manifest:
        """Write all utterances, window by window."""
        manifest = cls(folder)
        with manifest.appending() as append:
            for window in windows(utterances):
                append(window)
        return manifest

    @classmethod
    def resume(
        cls,
        make: Callable[[Iterable[T]], Iterator[Utterance]],
        source: Iterable[T],
        folder: Path,
    ) -> Manifest:
        """Write `make(source)`, one line for every item and in order, going on after the last.

        Lines are appended a whole window at a time and a broken window is cut off, so an
        engine that works window by window from the start it is given repeats itself exactly.
        """
        manifest = cls(folder)
        done = manifest._whole_windows()
        with manifest.appending("a") as append:
            for window in windows(make(islice(source, done, None))):
                append(window)
        return manifest

    def _there(self, path: Path) -> Path:
        if path.is_absolute() or path == UNSPOKEN:
            return path
        return Path(os.path.normpath(self.folder / path))

    def _whole_windows(self) -> int:
        """Count the lines of windows that were written to their end, and cut off the rest."""
        if not self.path.exists():
            return 0
        size = done = kept = 0
        with self.path.open("r+b") as file:
            for number, line in enumerate(file, 1):
                size += len(line)
                if number % WINDOW == 0 and line.endswith(b"\n"):
                    done, kept = number, size
            file.truncate(kept)
        return done


def windows(items: Iterable[T]) -> Iterator[list[T]]:
    """Cut a stream at multiples of `WINDOW`."""
    stream = iter(items)
    while window := list(islice(stream, WINDOW)):
        yield window


def _line(utterance: Utterance, home: Path, root: Path) -> str:
    """One line of JSON; a path inside the run is noted relative to the manifest."""
    path = utterance.audio_filepath
    if path != UNSPOKEN:
        path = path.absolute()
        path = Path(os.path.relpath(path, home)) if path.is_relative_to(root) else path
    return schema.line(replace(utterance, audio_filepath=path))
