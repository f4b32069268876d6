"""A manifest: a folder with `manifest.jsonl`, one utterance a line, read and written lazily."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from . import schema
from .artifacts import find_run_root
from .errors import ManifestError
from .types import TEXT_ONLY, Seconds, Utterance

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
        return (utterance for _, utterance in self.with_offsets())

    def with_offsets(self) -> Iterator[tuple[int, Utterance]]:
        """Every utterance with the byte at which its line begins."""
        start, read = 0, self._reader()
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                yield start, read(line, number)
                start += len(line)

    @contextmanager
    def random_access(self) -> Iterator[Callable[[int], Utterance]]:
        """Give a function from the byte at which a line begins to its utterance."""
        read = self._reader()
        with self.path.open("rb") as lines:

            def found(start: int) -> Utterance:
                lines.seek(start)
                return read(lines.readline(), None)

            yield found

    def lines_between(self, first: int = 0, end: int | None = None) -> Iterator[Utterance]:
        """The utterances from one line to another, counted from 0; no other line is parsed."""
        read = self._reader()
        with self.path.open("rb") as lines:
            for number, line in enumerate(islice(lines, first, end), first + 1):
                yield read(line, number)

    def __len__(self) -> int:
        with self.path.open("rb") as lines:
            return sum(1 for _ in lines)

    def draw(self, count: int, seed: int) -> list[Utterance]:
        """Draw utterances without replacement, in the order in which the seed draws them.

        Only the chosen lines are parsed, so a long manifest does not have to fit in memory.
        """
        size = len(self)
        numbers = random.Random(seed).sample(range(size), min(count, size))
        wanted, drawn, parse = set(numbers), dict[int, Utterance](), self._reader()
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines):
                if number in wanted:
                    drawn[number] = parse(line, number + 1)
        return [drawn[number] for number in numbers]

    def page(
        self, begin: int, count: int, query: str = "", most: int = 1 << 24
    ) -> tuple[list[Utterance], int | None]:
        """Some utterances from a line that begins at byte `begin` on, and where to go on.

        `query` keeps lines in which it is found, whatever the case; at most `most` bytes are
        read, so there may be fewer than `count` and still more to come. None is the end.
        """
        found, read = list[Utterance](), self._reader()
        wanted = query.casefold()
        with self.path.open("rb") as lines:
            lines.seek(begin)
            while len(found) < count and lines.tell() - begin < most:
                if not (line := lines.readline()).endswith(b"\n"):
                    return found, None
                if wanted in line.decode("utf-8", "replace").casefold():
                    found.append(read(line, None))
            return found, lines.tell() if lines.peek(1) else None

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
        home, root = self.folder.absolute(), find_run_root(self.folder)

        def seen_from_here(folder: str) -> str:
            if not Path(folder).is_relative_to(root):
                return folder
            return "" if Path(folder) == home else os.path.relpath(folder, home)

        noted = _ByFolder(seen_from_here)

        with self.path.open(mode, encoding="utf-8") as lines:

            def append(utterances: Iterable[Utterance]) -> None:
                lines.write("".join(f"{_line(each, noted)}\n" for each in utterances))
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

    def _reader(self) -> Callable[[bytes, int | None], Utterance]:
        """Give a function from a line, and its number if that is known, to its utterance."""
        there = _ByFolder(lambda folder: os.path.normpath(self.folder / folder))

        def read(line: bytes, number: int | None) -> Utterance:
            try:
                utterance = schema.parse_json(Utterance, line)
            except ValueError as cause:
                raise ManifestError(f"{self.path}:{number or ''}: {cause}") from cause
            path = utterance.audio_filepath
            if path != TEXT_ONLY and not path.is_absolute():
                # Nobody else holds it yet, and `replace` takes as long as all the rest.
                object.__setattr__(utterance, "audio_filepath", Path(there.of(path)))
            return utterance

        return read

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


class _ByFolder(dict[str, str]):
    """Paths named from somewhere else; most files lie in a few folders, so each is asked once."""

    def __init__(self, elsewhere: Callable[[str], str]) -> None:
        super().__init__()
        self._elsewhere = elsewhere

    def __missing__(self, folder: str) -> str:
        return self.setdefault(folder, self._elsewhere(folder))

    def of(self, path: Path) -> str:
        folder, name = os.path.split(path)
        return os.path.join(self[folder], name)  # noqa: PTH118  (a million times)


def _line(utterance: Utterance, noted: _ByFolder) -> str:
    """One line of JSON; a path inside the run is noted relative to the manifest."""
    path = utterance.audio_filepath
    if path == TEXT_ONLY:
        return schema.to_json_line(utterance)
    return schema.to_json_line(utterance, audio_filepath=noted.of(path.absolute()))
