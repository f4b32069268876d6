"""Manifests: folders with `manifest.jsonl`, one utterance a line, read and written lazily.

>>> from tempfile import TemporaryDirectory
>>> with TemporaryDirectory() as folder:
...     manifest = Manifest.write([Utterance(id="a"), Utterance(id="b")], Path(folder))
...     [utterance.id for utterance in manifest]
['a', 'b']
"""

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
from .file_uris import URI_SCHEME, read_path
from .interchange import cuts, frames, huggingface
from .types import TEXT_ONLY, Seconds, Utterance

T = TypeVar("T")

# Large enough for batches of clips of about the same length, small enough that a killed stage
# repeats a few minutes of work at most.
WINDOW = 256
"""Lines that are processed, appended and repeated together. Engines read no further ahead."""


@dataclass(frozen=True)
class Manifest:
    """Utterances on disk. Every iteration reads the file, so it is never in memory as a whole."""

    folder: Path
    """Folder that holds `manifest.jsonl`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))

    @property
    def path(self) -> Path:
        """File with the utterances, one a line."""
        return self.folder / "manifest.jsonl"

    def __iter__(self) -> Iterator[Utterance]:
        return (utterance for _, utterance in self.iter_with_offsets())

    def iter_with_offsets(self) -> Iterator[tuple[int, Utterance]]:
        """Yield every utterance with the byte at which its line begins."""
        offset, parse = 0, self._line_parser()
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                yield offset, parse(line, number)
                offset += len(line)

    @contextmanager
    def random_access(self) -> Iterator[Callable[[int], Utterance]]:
        """Provide a function that reads the utterance whose line begins at a byte."""
        parse = self._line_parser()
        with self.path.open("rb") as lines:

            def read_at(offset: int) -> Utterance:
                lines.seek(offset)
                return parse(lines.readline(), None)

            yield read_at

    def iter_lines(self, first_line: int = 0, end_line: int | None = None) -> Iterator[Utterance]:
        """Yield the utterances of some lines, counted from 0, without parsing the others."""
        parse = self._line_parser()
        with self.path.open("rb") as lines:
            for number, line in enumerate(islice(lines, first_line, end_line), first_line + 1):
                yield parse(line, number)

    def __len__(self) -> int:
        with self.path.open("rb") as lines:
            return sum(1 for _ in lines)

    def draw(self, count: int, seed: int) -> list[Utterance]:
        """Draw utterances without replacement, in the order in which the seed draws them.

        Only the chosen lines are parsed, so a long manifest does not have to fit in memory.
        """
        size = len(self)
        # Of line numbers and not of lines, so that a draw does not depend on their content.
        numbers = random.Random(seed).sample(range(size), min(count, size))
        wanted, drawn, parse = set(numbers), dict[int, Utterance](), self._line_parser()
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines):
                if number in wanted:
                    drawn[number] = parse(line, number + 1)
        return [drawn[number] for number in numbers]

    def read_page(
        self, start_byte: int, count: int, query: str = "", max_bytes: int = 1 << 24
    ) -> tuple[list[Utterance], int | None]:
        """Return some utterances, and the byte at which the next page begins.

        Args:
            start_byte: where the first line of the page begins.
            count: the most utterances to return.
            query: return only lines that contain this text, in upper or lower case.
            max_bytes: the most bytes to read. There may be fewer than `count` utterances for
                this reason although more follow.

        Returns:
            The utterances, and the start of the next page; None at the end of the manifest.
        """
        page, parse = list[Utterance](), self._line_parser()
        wanted = query.casefold()
        with self.path.open("rb") as lines:
            # By bytes: a page deep in a long manifest is found without reading those before it.
            lines.seek(start_byte)
            while len(page) < count and lines.tell() - start_byte < max_bytes:
                # A stage that is still running may have written half of its last line.
                if not (line := lines.readline()).endswith(b"\n"):
                    return page, None
                if wanted in line.decode("utf-8", "replace").casefold():
                    page.append(parse(line, None))
            return page, lines.tell() if lines.peek(1) else None

    @property
    def duration(self) -> Seconds:
        """Duration of all utterances together; reads the whole file."""
        return sum(utterance.duration for utterance in self)

    @classmethod
    def load(cls, folder: Path | str) -> Manifest:
        """Return the manifest in a folder. Raises ManifestError if there is none."""
        manifest = cls(Path(folder))
        if not manifest.path.is_file():
            raise ManifestError(
                f"{manifest.path}: there is no such manifest; did the stage that writes it run?"
            )
        return manifest

    @contextmanager
    def open_for_append(self, mode: str = "w") -> Iterator[Callable[[Iterable[Utterance]], None]]:
        """Provide a function that appends utterances and flushes them to the operating system.

        `mode` is that of `open`: "w" for a new manifest, "a" to add to one.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        manifest_folder, run_root = self.folder.absolute(), find_run_root(self.folder)

        def make_relative(folder: str) -> str:
            if not Path(folder).is_relative_to(run_root):
                return folder
            # "" and not ".", so that no path begins with "./".
            is_same = Path(folder) == manifest_folder
            return "" if is_same else os.path.relpath(folder, manifest_folder)

        relative_folders = _FolderCache(make_relative)

        with self.path.open(mode, encoding="utf-8") as file:

            def append(utterances: Iterable[Utterance]) -> None:
                lines = (f"{_to_line(utterance, relative_folders)}\n" for utterance in utterances)
                file.write("".join(lines))
                # A killed process loses nothing that was flushed; a crash of the machine may.
                file.flush()

            yield append

    @classmethod
    def write(cls, utterances: Iterable[Utterance], folder: Path | str) -> Manifest:
        """Write all utterances, window by window, and return their manifest."""
        manifest = cls(Path(folder))
        with manifest.open_for_append() as append:
            for window in iter_windows(utterances):
                append(window)
        return manifest

    @classmethod
    def resume(
        cls,
        process: Callable[[Iterable[T]], Iterator[Utterance]],
        source: Iterable[T],
        folder: Path,
    ) -> Manifest:
        """Write `process(source)` and return the manifest; an interrupted call is resumed.

        Lines are appended a whole window at a time, and an incomplete window is cut off. So an
        engine that works window by window begins at the start of a window again, and its output
        is the same, byte for byte.

        Args:
            process: yields one utterance for every member of the source, in their order.
            source: the input; what is finished already is passed over.
            folder: the folder of the manifest.
        """
        manifest = cls(folder)
        finished_lines = manifest._cut_off_incomplete_window()
        with manifest.open_for_append("a") as append:
            for window in iter_windows(process(islice(source, finished_lines, None))):
                append(window)
        return manifest

    def to_pandas(self) -> frames.DataFrame:
        """Return all utterances as a pandas frame, one a row; unused columns are left out."""
        return frames.to_frame(self)

    @classmethod
    def from_pandas(cls, frame: frames.DataFrame, folder: Path | str) -> Manifest:
        """Write the rows of a frame, whose columns are fields of `Utterance`, as a manifest."""
        return cls.write(frames.from_frame(frame), folder)

    def to_datasets(self) -> huggingface.Dataset:
        """Return all utterances as a data set of Hugging Face, without their audio."""
        return huggingface.to_dataset(self)

    @classmethod
    def from_datasets(cls, dataset: huggingface.Dataset, folder: Path | str) -> Manifest:
        """Write the rows of a data set, whose columns are fields of `Utterance`, as a manifest."""
        return cls.write(huggingface.from_dataset(dataset), folder)

    def to_lhotse(self) -> cuts.CutSet:
        """Return all utterances as cuts of Lhotse, with text and word times as supervisions."""
        return cuts.to_cuts(self)

    @classmethod
    def from_lhotse(cls, cut_set: cuts.CutSet, folder: Path | str) -> Manifest:
        """Write cuts of Lhotse, each a stretch of one audio file, as a manifest."""
        return cls.write(cuts.from_cuts(cut_set), folder)

    def _line_parser(self) -> Callable[[bytes, int | None], Utterance]:
        """Return a function from a line, and its number if that is known, to its utterance."""
        absolute_folders = _FolderCache(lambda folder: os.path.normpath(self.folder / folder))

        def parse(line: bytes, number: int | None) -> Utterance:
            try:
                utterance = schema.parse_json(Utterance, line)
            except ValueError as cause:
                raise ManifestError(f"{self.path}:{number or ''}: {cause}") from cause
            path = utterance.audio_filepath
            if path != TEXT_ONLY and not path.is_absolute():
                # Frozen, but not shared yet. `replace` would take as long as all the rest.
                if path.parts[0] == URI_SCHEME:
                    absolute_path = read_path(path)
                else:
                    absolute_path = Path(absolute_folders.convert(path))
                object.__setattr__(utterance, "audio_filepath", absolute_path)
            return utterance

        return parse

    def _cut_off_incomplete_window(self) -> int:
        """Truncate the file after its last whole window; return the number of lines left."""
        if not self.path.exists():
            return 0
        # A process may be killed within a line, and an engine within a window: neither is kept.
        position = whole_lines = whole_bytes = 0
        with self.path.open("r+b") as file:
            for number, line in enumerate(file, 1):
                position += len(line)
                if number % WINDOW == 0 and line.endswith(b"\n"):
                    whole_lines, whole_bytes = number, position
            file.truncate(whole_bytes)
        return whole_lines


def iter_windows(items: Iterable[T]) -> Iterator[list[T]]:
    """Yield the members of a stream in lists of `WINDOW`; the last may be shorter."""
    stream = iter(items)
    while window := list(islice(stream, WINDOW)):
        yield window


class _FolderCache(dict[str, str]):
    """Cache of converted folder names: most audio files of a manifest lie in a few folders."""

    def __init__(self, convert_folder: Callable[[str], str]) -> None:
        super().__init__()
        self._convert_folder = convert_folder

    def __missing__(self, folder: str) -> str:
        return self.setdefault(folder, self._convert_folder(folder))

    def convert(self, path: Path) -> str:
        """Return the path with its folder converted."""
        folder, name = os.path.split(path)
        return os.path.join(self[folder], name)  # noqa: PTH118  (faster than Path, per line)


def _to_line(utterance: Utterance, relative_folders: _FolderCache) -> str:
    """Return one line of JSON; a path inside the run is written relative to the manifest."""
    assert not utterance.skip, "`skip` is a mark for engines and is never stored"
    path = utterance.audio_filepath
    if path == TEXT_ONLY:
        return schema.to_json_line(utterance)
    relative_path = relative_folders.convert(path.absolute())
    try:
        return schema.to_json_line(utterance, audio_filepath=relative_path)
    except ValueError:  # a name that is not UTF-8, and so no text
        return schema.to_json_line(utterance, audio_filepath=path.absolute().as_uri())
