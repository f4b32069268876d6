r"""Tables of recordings and transcripts: comma, semicolon, tab and bar separated, and JSON lines.

The separator is the one that gives the header the most columns of a known name. Names of columns
are compared without regard to capitals, and with `_` for spaces and hyphens.

A row that cannot be used is yielded with its problem, so that it is counted and costs no more than
itself. What is no table at all is refused.
"""

from __future__ import annotations

import csv
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from ...core.errors import ConfigError, ManifestError
from ...core.schema import find_nearest_name
from ._lines import Line, join_spaces, read_lines

FILE_COLUMNS = (
    "file_name", "filename", "file", "path", "file_path", "filepath", "audio_filepath",
    "audio_file", "audio_path", "audio", "wav", "wav_file", "wav_path", "wav_filename", "clip",
)  # fmt: skip
"""Names of the column with the audio file; of several the first one that is filled is taken."""
TEXT_COLUMNS = ("text", "transcription", "transcript", "sentence", "normalized_text")
"""Names of the column with the transcript, likewise."""
LANG_COLUMNS = ("lang", "language", "locale")
"""Names of the column with the language (ISO 639-1), likewise."""
SPEAKER_COLUMNS = ("speaker", "speaker_id", "spk", "spk_id", "client_id")
"""Names of the column with the speaker, likewise."""
SEPARATORS = ",;\t|"
MAX_LINES_OF_A_FIELD = 100
"""Lines after which a quotation mark that nothing closes is taken for a part of the text."""
_KNOWN_COLUMNS = frozenset((*FILE_COLUMNS, *TEXT_COLUMNS, *LANG_COLUMNS, *SPEAKER_COLUMNS))
_EXCEL_HINT = re.compile(r"""["']?sep=(.)["']?""", re.IGNORECASE)
"""First line by which Excel is told the separator."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table."""

    line: int
    """Line of the file at which it begins, from 1."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Filled fields by the plain form of the column's name: texts, or lists and objects of JSON."""
    problem: str | None = None
    """Reason why the row cannot be used; None if it can."""

    def get(self, columns: Sequence[str]) -> str | None:
        """Return the first of these columns that is filled, on one line; None if none is.

        Raises:
            ValueError: The field is no text and no number.
        """
        for name in columns:
            if (content := self.fields.get(name)) is None:
                continue
            if not isinstance(content, str):
                kind = "a list" if isinstance(content, list) else "an object"
                raise ValueError(f"{name} is {kind}, and not a text")
            # Half a pair of UTF-16, which JSON can spell and no file can hold.
            if not content.isascii() and any("\ud800" <= letter <= "\udfff" for letter in content):
                raise ValueError(f"{name} has half a character (a lone surrogate of UTF-16)")
            if name in FILE_COLUMNS:
                return content
            if text := join_spaces(content):
                return text
        return None


@dataclass(frozen=True)
class Table:
    """A table, whose rows are read when they are iterated."""

    path: Path
    columns: tuple[str, ...]
    """Names of the columns as the file has them."""
    rows: Iterator[Row]

    def require(self, columns: Sequence[str], content: str) -> None:
        """Check that the table has one of these columns.

        Args:
            columns: Accepted names, the usual one first.
            content: Phrase for what the column holds.

        Raises:
            ConfigError: It has none; names the columns that it has, and the nearest one.
        """
        names = {plain_name(name) for name in self.columns}
        if names.isdisjoint(columns):
            # Tables without a header, as that of LJ Speech, begin with a row.
            hint = "" if names & _KNOWN_COLUMNS else " (the first line has to name the columns)"
            raise ConfigError(
                f"{self.path}: {explain_missing(columns, content, self.columns)}{hint}"
            )


def explain_missing(accepted: Sequence[str], content: str, columns: Iterable[str]) -> str:
    """Return the sentence for a table without a column: what it has, and what to rename.

    >>> explain_missing(["text"], "the transcripts", ["path", "txet"])
    "no column with the transcripts (text); the columns are: path, txet. Rename 'txet' to 'text'"
    """
    names = list(columns)
    if not names:
        return f"the table is empty, and needs a column {accepted[0]!r} with {content}"
    near = next((name for name in names if find_nearest_name(plain_name(name), accepted)), None)
    remedy = f"Rename {near!r} to {accepted[0]!r}" if near else f"Name one of them {accepted[0]!r}"
    listed = ", ".join(name if len(name) <= 40 else f"{name[:40]}..." for name in names[:20])
    usual = ", ".join(accepted[:5]) + (", ..." if len(accepted) > 5 else "")
    return f"no column with {content} ({usual}); the columns are: {listed}. {remedy}"


def plain_name(name: str) -> str:
    """Return the name of a column in the form in which names are compared.

    >>> plain_name(" File Name ")
    'file_name'
    """
    return re.sub(r"[\s-]+", "_", join_spaces(name).strip("\"' ").lower())


def read_table(path: Path, separators: str = SEPARATORS, *, quoted: bool = True) -> Table:
    """Open a table: JSON lines if the name ends in `.jsonl`, else separated fields.

    Args:
        path: The file.
        separators: Characters that may separate fields.
        quoted: Fields may be in double quotes, and then hold separators and line ends. If False, a
            quotation mark is always a part of the text.

    Raises:
        ConfigError: The file cannot be read, or is in another encoding.
        ManifestError: It is no table.
    """
    if path.suffix.lower() == ".jsonl":
        return read_json_lines(path)
    return _read_fields(path, read_lines(path), separators, quoted)


def read_json_lines(path: Path) -> Table:
    """Open a table of JSON lines; its columns are the keys of the first row that can be read.

    Numbers are texts, as they are spelled.

    Raises:
        ConfigError: The file cannot be read, or is in another encoding.
        ManifestError: No line is a JSON object.
    """
    rows = _parse_objects(path, read_lines(path))
    first_rows, columns = list[Row](), tuple[str, ...]()
    for row in rows:
        first_rows.append(row)
        if not row.problem:
            columns = tuple(row.fields)
            break
    if first_rows and first_rows[-1].problem:
        row = first_rows[0]
        raise ManifestError(
            f"{path}:{row.line}: {row.problem}; no line of the file is a JSON object"
        )
    return Table(path, columns, chain(first_rows, rows))


def _parse_objects(path: Path, lines: Iterable[Line]) -> Iterator[Row]:
    for line in lines:
        if line.problem:
            yield Row(line.number, problem=line.problem)
            continue
        if not line.text.strip():
            continue
        try:
            # Numbers as they are spelled: they are names and texts, and may have 5,000 digits.
            content = json.loads(
                line.text,
                parse_int=str,
                parse_float=str,
                parse_constant=lambda _: None,
                strict=False,
            )
        except (ValueError, RecursionError) as cause:
            if line.number == 1 and line.text.lstrip().startswith("["):
                content = []
            else:
                reason = "too deep" if isinstance(cause, RecursionError) else str(cause)
                yield Row(line.number, problem=f"not JSON ({reason})")
                continue
        if isinstance(content, list) and line.number == 1:
            raise ManifestError(
                f"{path}:1: one JSON list; write one object a line, as does "
                f"`jq -c '.[]' {path.name}`"
            )
        if not isinstance(content, dict):
            yield Row(line.number, problem="not a JSON object")
            continue
        fields = {
            plain_name(name): str(filling).lower() if isinstance(filling, bool) else filling
            for name, filling in content.items()
            if filling is not None
        }
        yield Row(line.number, fields)


def _read_fields(path: Path, lines: Iterator[Line], separators: str, quoted: bool) -> Table:
    """Open a table of separated fields."""
    header = next((line for line in lines if line.problem or line.text.strip()), None)
    if header is None:
        return Table(path, (), iter(()))
    if match := _EXCEL_HINT.fullmatch(header.text.strip()):
        separators = match[1]
        header = next((line for line in lines if line.problem or line.text.strip()), header)
    if header.problem:
        raise ManifestError(
            f"{path}:{header.number}: the names of the columns have {header.problem}"
        )
    if header.text.lstrip().startswith(("{", "[")):
        raise ManifestError(
            f"{path}:{header.number}: the first line is JSON and no row of column names; rename "
            f"the file to {path.stem}.jsonl, with one object a line"
        )
    by_separator = {
        separator: _split(header.text, separator, quoted) or header.text.split(separator)
        for separator in separators
    }

    def count_columns(separator: str) -> tuple[int, int]:
        names = by_separator[separator]
        return sum(plain_name(name) in _KNOWN_COLUMNS for name in names), len(names)

    # A tie goes to the first: a table of one column has no separator.
    separator = max(by_separator, key=count_columns)
    columns = [join_spaces(name).strip("\"' ") for name in by_separator[separator]]
    while columns and not columns[-1]:  # spreadsheets write separators after the last column
        columns.pop()
    records = _split_records(lines, separator, len(columns), quoted)
    return Table(
        path, tuple(name for name in columns if name), _parse_records(records, columns, separator)
    )


def _parse_records(
    records: Iterable[tuple[int, list[str] | str]], columns: Sequence[str], separator: str
) -> Iterator[Row]:
    """Yield the rows of records, each the number of its line and its fields or its problem."""
    names = [plain_name(name) for name in columns]
    for number, record in records:
        if isinstance(record, str):
            yield Row(number, problem=record)
            continue
        fields = [content.strip() for content in record]
        while len(fields) > len(names) and not fields[-1]:
            fields.pop()
        if not any(fields) or [plain_name(content) for content in fields] == names:
            continue  # blank, or the header again in a table that was joined from several
        if len(fields) > len(names):
            shown = {"\t": "tab"}.get(separator, separator)
            yield Row(
                number,
                problem=f"{len(fields)} fields, and the header has {len(names)}; put texts that "
                f"hold the separator ({shown}) in double quotes",
            )
            continue
        # Spreadsheets leave out separators after the last filled field of a row.
        filled = dict[str, Any]()
        for name, content in zip(names, fields, strict=False):
            if name and content:
                filled.setdefault(name, content)
        yield Row(number, filled)


def _split_records(
    lines: Iterable[Line], separator: str, width: int, quoted: bool
) -> Iterator[tuple[int, list[str] | str]]:
    """Yield the number of a line with the fields of the record that begins there, or its problem.

    A quotation mark that is not closed would swallow all rows up to the next one. Lines are joined
    only if that gives a record of the right width; else the mark is a part of the text.
    """
    source, pending = iter(lines), deque[Line]()

    def next_line() -> Line | None:
        return pending.popleft() if pending else next(source, None)

    while line := next_line():
        if line.problem:
            yield line.number, line.problem
            continue
        text, fields, joined = line.text, _split(line.text, separator, quoted), list[Line]()
        while fields is None and len(joined) < MAX_LINES_OF_A_FIELD:
            following = next_line()
            if following is None:
                break
            joined.append(following)
            if following.problem:
                break
            text = f"{text}\n{following.text}"
            if '"' in following.text:
                fields = _split(text, separator, quoted)
        if fields is None or (joined and len(fields) != width):
            pending.extendleft(reversed(joined))
            fields = line.text.split(separator)
        yield line.number, fields


def _split(text: str, separator: str, quoted: bool) -> list[str] | None:
    r"""Return the fields of a record; None if its quotation marks are not those of a table.

    >>> _split('a.wav,"one, \\"two\\""', ",", quoted=True)
    ['a.wav', 'one, "two"']
    """
    if not quoted or '"' not in text:
        return text.split(separator)
    # A lone \r is a space of the text, which csv would take for the end of a row.
    plain = text.replace("\r", " ")
    for spelling in (plain, plain.replace('\\"', '""')):
        try:
            rows = list(
                csv.reader([spelling], delimiter=separator, strict=True, skipinitialspace=True)
            )
        except csv.Error:
            continue
        if len(rows) == 1:
            return rows[0]
    return None
