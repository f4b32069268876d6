"""Metadata of a folder of audio: the rows of its tables by audio file, and what does not match."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...audio.io import SUFFIXES
from ...core.errors import ManifestError
from ...core.types import Language, Utterance
from ._listed import reject
from ._locales import language_of_locale
from ._names import FileFinder
from ._tables import (
    FILE_COLUMNS,
    LANG_COLUMNS,
    SPEAKER_COLUMNS,
    TEXT_COLUMNS,
    Row,
    Table,
    explain_missing,
    plain_name,
    read_table,
)
from ._walk import METADATA_NAMES, show_name

log = logging.getLogger(__name__)

TABLE_SUFFIXES = frozenset(
    ".csv .tsv .jsonl .json .txt .xlsx .ods .parquet .srt .vtt .lab .textgrid .stm .trn".split()
)
"""Endings of files that may hold transcripts under another name, for errors."""
YES = frozenset({"true", "1", "yes"})
"""Spellings of a column that is true, in any case."""
MAX_NAMES = 3
"""Names that a log line or an error gives as examples."""


@dataclass(frozen=True, slots=True)
class Description:
    """What the metadata says of one audio file."""

    text: str | None = None
    lang: Language | None = None
    speaker: str | None = None
    speechless: bool = False


class Metadata:
    """Rows of the metadata tables of a folder, by audio file."""

    def __init__(self, tables: Iterable[Path]) -> None:
        """Read all rows.

        Args:
            tables: Metadata files; names of audio in them are relative to their own folder.

        Raises:
            ConfigError: A table cannot be read, is in another encoding, or names no files.
            ManifestError: It is no table, or has no usable row.
        """
        self._tables = list(tables)
        self._descriptions: dict[str, Description] = {}
        self._origins: dict[str, str] = {}
        """Table and line of every row whose file was not asked for yet, by the file."""
        self._rejected: list[Utterance] = []
        self._files_without_row, self._first_without_row = 0, list[str]()
        for path in self._tables:
            self._read(path)

    def describe(self, path: Path) -> Description:
        """Return what the metadata says of an audio file; empty if no row names it."""
        # Of the file and not of the link, so that a row may name either.
        key = os.path.realpath(path)
        self._origins.pop(key, None)
        if key not in self._descriptions:
            self._files_without_row += 1
            # Not all of them: a pool of a million files has no rows.
            if len(self._first_without_row) < MAX_NAMES:
                self._first_without_row.append(show_name(path.name))
            return Description()
        return self._descriptions[key]

    def rejected_rows(self, *, all_files_listed: bool = True) -> Iterator[Utterance]:
        """Yield the rows that describe no file of the folder, after all files were described.

        Args:
            all_files_listed: False if files were passed over that are listed another time; then
                rows of files that nobody asked for are passed over too.
        """
        rejected = list(self._rejected)
        for file, origin in self._origins.items() if all_files_listed else ():
            objection = f"{origin}: {show_name(file)} is no audio file of the folder"
            row = _to_utterance(origin, self._descriptions[file])
            rejected.append(reject(row, "no_audio", objection))
        if self._tables and self._files_without_row:
            log.warning(
                "%s: %d audio files have no row: %s",
                self._tables[0], self._files_without_row, ", ".join(self._first_without_row),
            )  # fmt: skip
        reasons = Counter(utterance.rejected_by for utterance in rejected)
        for reason, count in sorted(reasons.items()):
            examples = [row.objection or "" for row in rejected if row.rejected_by == reason]
            log.warning("rejected %d rows as %s: %s", count, reason, _shorten(examples))
        yield from rejected

    def _read(self, path: Path) -> None:
        """Add the rows of one table."""
        table = read_table(path)
        if table.columns and path.suffix.lower() != ".jsonl":
            table.require(FILE_COLUMNS, "the names of the audio files")
        finder = FileFinder(path.parent, SUFFIXES)
        rows, problems = 0, list[str]()
        for row in table.rows:
            rows += 1
            origin = f"{show_name(str(path))}:{row.line}"
            try:
                if row.problem:
                    raise ValueError(row.problem)
                self._add(row, origin, finder)
            except ValueError as cause:
                problems.append(f"{origin}: {cause}")
                self._rejected.append(reject(Utterance(id=origin), "bad_row", problems[-1]))
        if problems and len(problems) == rows:
            raise ManifestError(f"{problems[0]}; no row of the table can be used")

    def _add(self, row: Row, origin: str, finder: FileFinder) -> None:
        """Add one row. Raises ValueError if it names no file, or holds no texts."""
        if (name := row.get(FILE_COLUMNS)) is None:
            if any(column in row.fields for column in FILE_COLUMNS):
                raise ValueError("the name of the audio file is empty")
            raise ValueError(
                explain_missing(FILE_COLUMNS, "the name of the audio file", row.fields)
            )
        text = row.get(TEXT_COLUMNS)
        speechless = (row.get(("speechless",)) or "").casefold() in YES
        if speechless and text:
            raise ValueError(f"speechless is true, but the text is {text!r}")
        description = Description(
            text="" if speechless else text,
            lang=language_of_locale(row.get(LANG_COLUMNS)),
            speaker=row.get(SPEAKER_COLUMNS),
            speechless=speechless,
        )
        file = finder.find(name)
        if file is None:
            objection = f"{origin}: no file {name!r} in {Path(origin).parent}"
            self._rejected.append(reject(_to_utterance(origin, description), "no_audio", objection))
            return
        key = os.path.realpath(file)
        if key in self._descriptions:
            first = self._origins.get(key)
            objection = f"{origin}: {name!r} has a row already" + (f" ({first})" if first else "")
            rejected = reject(_to_utterance(origin, description), "duplicate_row", objection)
            self._rejected.append(rejected)
            return
        self._descriptions[key], self._origins[key] = description, origin


def explain_missing_text(folder: Path) -> str:
    """Return the sentence for a folder of audio without any transcript: what is there, what to do.

    Raises:
        ConfigError: A table cannot be read, or is in another encoding.
        ManifestError: It is no table.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        if path.name.lower() not in METADATA_NAMES:
            continue
        table = read_table(path)
        if not any(plain_name(name) in TEXT_COLUMNS for name in table.columns):
            return f"{path}: {explain_missing(TEXT_COLUMNS, 'the transcripts', table.columns)}"
        return _explain_rows(path, table)
    needed = "a metadata.csv with the columns file_name and text"
    others = [show_name(path.name) for path in files if path.suffix.lower() in TABLE_SUFFIXES]
    if others:
        return f"{folder} needs {needed}; not read under their names: {_shorten(others)}"
    return f"{folder} needs {needed}"


def _explain_rows(path: Path, table: Table) -> str:
    """Return why no row of a table with transcripts gave one."""
    filled = [row for row in table.rows if any(row.fields.get(name) for name in TEXT_COLUMNS)]
    if not filled:
        return f"{path}: no row has a transcript"
    first = filled[0].fields
    name = next((first[column] for column in FILE_COLUMNS if column in first), "")
    return (
        f"{path}: none of its {len(filled)} rows with a transcript names an audio file of the "
        f"folder; the first one names {name!r}, which is looked for in {path.parent}"
    )


def _to_utterance(origin: str, description: Description) -> Utterance:
    """Return a row without audio as an utterance, to be rejected."""
    return Utterance(
        id=origin, text=description.text, lang=description.lang, speaker=description.speaker
    )


def _shorten(names: list[str]) -> str:
    """Return the first names, and how many there are besides."""
    rest = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {rest} more" if rest > 0 else "")
