"""Utterances as rows of plain data, which tables of other libraries hold.

>>> columns, rows = to_rows([Utterance(id="a", text="ciao", duration=1.5)])
>>> columns, rows[0]["text"]
(['id', 'audio_filepath', 'offset', 'duration', 'text'], 'ciao')
>>> [utterance.duration for utterance in from_rows(columns, rows)]
[1.5]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from importlib import import_module
from typing import Any

from .. import schema
from ..errors import ConfigError, ManifestError
from ..file_uris import read_path, write_path
from ..types import TEXT_ONLY, Utterance

COLUMNS = tuple(field.name for field in fields(Utterance) if field.name != "skip")
"""Fields of a row. `skip` is a mark for engines, and is never stored."""
ALWAYS = ("id", "audio_filepath", "offset", "duration", "text")
"""Columns that a table has even if all of their fields are at their defaults."""


def to_rows(utterances: Iterable[Utterance]) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the columns that some utterance uses, and a row for every utterance.

    Returns:
        The names of the columns, in the order of the fields of `Utterance`; and rows of strings,
        numbers, lists and dictionaries, without the fields that are None.
    """
    # In memory as a whole: frames and data sets are.
    rows = list(map(to_row, utterances))
    defaults = to_row(Utterance(id=""))
    used = {name for row in rows for name, content in row.items() if content != defaults.get(name)}
    return [name for name in COLUMNS if name in ALWAYS or name in used], rows


def to_row(utterance: Utterance) -> dict[str, Any]:
    """Return an utterance as plain data, without the fields that are None."""
    # Without the path: escaped as text, a name that is not UTF-8 would be another one.
    row: dict[str, Any] = schema.to_json_data(replace(utterance, audio_filepath=TEXT_ONLY))
    del row["audio_filepath"], row["skip"]
    if utterance.audio_filepath != TEXT_ONLY:
        row["audio_filepath"] = write_path(utterance.audio_filepath)
    return row


def from_rows(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[Utterance]:
    """Yield the utterance of every row.

    Args:
        columns: Names of the columns of the table.
        rows: Rows by the names of the columns; None is a field that is left out.

    Raises:
        ConfigError: A column is missing, or none of a manifest.
        ManifestError: A row holds something that its column cannot.
    """
    check_columns(columns)
    return (from_row(row, number) for number, row in enumerate(rows))


def check_columns(columns: Sequence[str]) -> None:
    """Raise ConfigError if a table has other columns than a manifest, or no column `id`."""
    # Not ignored: a transcript in a column `sentence` would be lost without a word.
    if unknown := [str(name) for name in columns if name not in COLUMNS]:
        raise ConfigError(
            f"columns that a manifest does not have: {', '.join(unknown)}; rename or drop them "
            f"({schema.suggest_name(unknown[0], COLUMNS)})"
        )
    if "id" not in columns:
        raise ConfigError(
            "there is no column `id`; add one, with a text that is unique in each row"
        )


def from_row(row: Mapping[str, Any], number: int) -> Utterance:
    """Return the utterance of a row, whose number is for messages."""
    # Numbers and lists of numpy, as pandas reads them from Parquet files.
    plain = {
        name: content.tolist() if hasattr(content, "tolist") else content
        for name, content in row.items()
    }
    try:
        utterance = schema.parse_data(
            Utterance, {name: content for name, content in plain.items() if content is not None}
        )
    except schema.RecordError as cause:
        raise ManifestError(f"row {number}: {cause}") from cause
    return replace(utterance, audio_filepath=read_path(utterance.audio_filepath))


def import_package(package: str, extra: str) -> Any:
    """Return a package that converts manifests.

    Raises:
        ConfigError: It is not installed; the message names the extra.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as cause:
        raise ConfigError(
            f"this needs the package {cause.name!r}: pip install 'twister-loop[{extra}]'"
        ) from cause
