"""Transcripts in a folder: tables, Kaldi's lists, and a text file beside each recording."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ...audio import io as audio
from ...core.artifacts import RUN_MARKER
from ...core.errors import ConfigError, TwisterError
from ...core.progress import show_progress
from ...core.types import Language, Seconds
from ...data.corpora._lines import join_spaces, read_text
from ...data.corpora._locales import language_of_locale
from ...data.corpora._names import FileFinder
from ...data.corpora._tables import (
    FILE_COLUMNS,
    LANG_COLUMNS,
    SPEAKER_COLUMNS,
    TEXT_COLUMNS,
    Row,
    plain_name,
    read_table,
)
from ...data.corpora._walk import LITTER_FOLDERS, METADATA_NAMES
from ...data.corpora.kaldi import Kaldi
from .recordings import FolderRecordings, is_text

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".jsonl"})
TEXT_SUFFIXES = frozenset({".txt", ".text", ".lst", ".lab"})
SPREADSHEETS = frozenset({".xlsx", ".xls", ".ods", ".parquet", ".json"})
"""Endings of tables that are not read, for a remark."""
SPLIT_COLUMNS = ("split", "subset", "partition", "set")
"""Names of a column that says for what a row is meant."""
AUDIO_FOLDERS = ("clips", "wavs", "wav", "audio", "recordings")
"""Folders beside a table in which its recordings often lie."""
MAX_SIDECAR_BYTES = 10_000
"""Longest text file that is taken for the transcript of the recording beside it."""

SourceKind = Literal["metadata", "table", "kaldi", "text files"]


@dataclass(frozen=True, slots=True)
class Transcript:
    """Transcript of a recording, or of a stretch of it."""

    path: Path
    text: str
    lang: Language | None = None
    speaker: str | None = None
    offset: Seconds = 0.0
    duration: Seconds | None = None
    """Length of the stretch; None for the whole recording."""
    channel: int | None = None
    split: str | None = None
    """What the table's own column says that the row is for."""


@dataclass(frozen=True)
class TranscriptSource:
    """Table or folder with transcripts."""

    place: Path
    kind: SourceKind
    transcripts: tuple[Transcript, ...] = field(repr=False)
    rows: int
    """Rows with a text, of which some may name no recording of the folder."""
    columns: tuple[str, ...] = ()
    is_plain: bool = True
    """True if the corpus reader of this kind gives the same transcripts."""


@dataclass(frozen=True)
class Documents:
    """Files of a folder that are no recordings and may say something about them."""

    tables: tuple[Path, ...] = ()
    texts: tuple[Path, ...] = ()
    kaldi: tuple[Path, ...] = ()
    """Folders with a `wav.scp`."""
    spreadsheets: tuple[Path, ...] = ()


def list_documents(folder: Path, ignored: Iterable[Path] = ()) -> Documents:
    """List tables and text files in a folder and below, without opening them.

    Args:
        folder: The folder.
        ignored: Folders to pass over.
    """
    # Lists of a plan that was written before would otherwise be taken for tables of the folder.
    passed_over = {path.absolute() for path in ignored}
    files = list[Path]()
    for place, folders, names in os.walk(folder):
        # A run has tables by the thousand, and they speak of its own copies.
        if RUN_MARKER in names and Path(place) != folder:
            folders.clear()
            continue
        # In place, which is how `os.walk` learns where not to go; sorted for one order anywhere.
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name.lower() not in LITTER_FOLDERS
            and Path(place, name).absolute() not in passed_over
        )
        files += (Path(place, name) for name in sorted(names) if not name.startswith("."))

    def with_suffix(suffixes: frozenset[str]) -> tuple[Path, ...]:
        return tuple(path for path in files if path.suffix.lower() in suffixes)

    return Documents(
        tables=with_suffix(TABLE_SUFFIXES),
        texts=with_suffix(TEXT_SUFFIXES),
        kaldi=tuple(path.parent for path in files if path.name == "wav.scp"),
        spreadsheets=with_suffix(SPREADSHEETS),
    )


def find_transcripts(
    recordings: FolderRecordings, documents: Documents
) -> tuple[list[TranscriptSource], list[str]]:
    """Return the sources of transcripts, and remarks on tables that cannot be used."""
    locator = _Locator(recordings)
    sources, remarks = list[TranscriptSource](), list[str]()
    for path in show_progress(documents.tables, "reading tables", len(documents.tables)):
        try:
            source = _read_source(path, locator)
        except TwisterError as error:
            # One table in an old encoding says nothing against the others.
            remarks.append(str(error))
            continue
        if source and source.transcripts:
            sources.append(source)
        elif source and source.rows:
            remarks.append(
                f"{path}: none of its {source.rows} rows with a transcript names a recording of "
                "the folder"
            )
    for folder in documents.kaldi:
        try:
            sources += filter(None, [_read_kaldi(folder, locator)])
        except TwisterError as error:
            remarks.append(str(error))
    if sidecars := _read_sidecars(recordings, documents.texts):
        sources.append(sidecars)
    for path in documents.spreadsheets:
        # Other JSON files may be anything; a spreadsheet beside recordings is meant for them.
        if path.suffix.lower() != ".json":
            remarks.append(f"{path}: not read; save it as CSV if it has transcripts or texts")
    return sources, remarks


class _Locator:
    """Search for the recording that a row of a table names."""

    def __init__(self, recordings: FolderRecordings) -> None:
        # Of the file and not of the link, since tables may name either.
        self._by_real_path = {os.path.realpath(path): path for path in recordings.paths}
        self._by_name: dict[str, Path | None] = {}
        for path in recordings.paths:
            for name in {path.name.lower(), path.stem.lower()}:
                # None for a name that several recordings have, which names none of them.
                self._by_name[name] = None if name in self._by_name else path

    def find_plainly(self, finder: FileFinder, name: str) -> Path | None:
        """Return the recording as an audiofolder finds it: relative to the table."""
        path = finder.find(name)
        return self._by_real_path.get(os.path.realpath(path)) if path else None

    def find_anywhere(self, finders: Sequence[FileFinder], name: str) -> Path | None:
        """Return the recording of that name in the usual folders, or alone of its name."""
        for finder in finders:
            if path := self.find_plainly(finder, name):
                return path
        # The last name alone: tables hold paths of the machine on which they were written.
        return self._by_name.get(name.replace("\\", "/").rpartition("/")[2].lower())

    def get(self, path: Path) -> Path | None:
        """Return the recording by its path, as the walk spells it."""
        return self._by_real_path.get(os.path.realpath(path))


def _read_source(path: Path, locator: _Locator) -> TranscriptSource | None:
    """Return the transcripts of a table; None if it has no columns for them.

    Raises:
        TwisterError: The table cannot be read.
    """
    table = read_table(path)
    names = {plain_name(name) for name in table.columns}
    # A table of texts alone is a text corpus, and one of files alone says nothing about speech.
    if names.isdisjoint(TEXT_COLUMNS) or names.isdisjoint(FILE_COLUMNS):
        return None
    finders = [
        FileFinder(folder, audio.SUFFIXES)
        for folder in (path.parent, *(path.parent / name for name in AUDIO_FOLDERS))
    ]
    transcripts, rows, is_plain = list[Transcript](), 0, True
    for row in table.rows:
        try:
            name, text = row.get(FILE_COLUMNS), row.get(TEXT_COLUMNS)
            if row.problem or not name or not text:
                continue
            rows += 1
            # Once more like the reader of audiofolders, to know whether the plan can name it.
            recording = locator.find_plainly(finders[0], name)
            if recording is None:
                recording, is_plain = locator.find_anywhere(finders, name), False
            if recording and is_text(recording):
                transcripts.append(_to_transcript(recording, text, row))
        except ValueError:  # half a character, or a list where a text should be
            continue
    is_metadata = path.name.lower() in METADATA_NAMES
    return TranscriptSource(
        place=path,
        kind="metadata" if is_metadata else "table",
        transcripts=tuple(transcripts),
        rows=rows,
        columns=table.columns,
        is_plain=is_plain and is_metadata and not any(t.duration for t in transcripts),
    )


def _to_transcript(path: Path, text: str, row: Row) -> Transcript:
    return Transcript(
        path=path,
        text=text,
        lang=language_of_locale(row.get(LANG_COLUMNS)),
        speaker=row.get(SPEAKER_COLUMNS),
        offset=_read_seconds(row, "offset") or 0.0,
        # Without an offset the duration is that of the file, which its header has too.
        duration=_read_seconds(row, "duration") if row.get(("offset",)) else None,
        split=row.get(SPLIT_COLUMNS),
    )


def _read_seconds(row: Row, name: str) -> Seconds | None:
    content = row.fields.get(name)
    is_number = isinstance(content, str) and re.fullmatch(r"\d+(\.\d+)?", content)
    return float(str(content)) if is_number else None


def _read_kaldi(folder: Path, locator: _Locator) -> TranscriptSource | None:
    """Return the transcripts of Kaldi's lists; None if there are none."""
    # Without segments the reader measures each file, which takes long on a network disk.
    transcripts, deadline = list[Transcript](), time.monotonic() + 10
    with audio.trusting_headers():
        for utterance in Kaldi(folder).utterances():
            path = locator.get(utterance.audio_filepath)
            if path and utterance.text and not utterance.rejected_by:
                has_segment = utterance.offset or (folder / "segments").is_file()
                transcripts.append(
                    Transcript(
                        path=path,
                        text=utterance.text,
                        speaker=utterance.speaker,
                        offset=utterance.offset,
                        duration=utterance.duration if has_segment else None,
                    )
                )
            if time.monotonic() > deadline:
                break
    if not transcripts:
        return None
    return TranscriptSource(folder, "kaldi", tuple(transcripts), len(transcripts))


def _read_sidecars(recordings: FolderRecordings, texts: Iterable[Path]) -> TranscriptSource | None:
    """Return transcripts in text files with the names of recordings; None if there are none."""
    by_stem = {path.with_suffix(""): path for path in recordings.paths}
    transcripts = list[Transcript]()
    for path in texts:
        # `a.txt` beside `a.wav`, as many tools write them.
        recording = by_stem.get(path.with_suffix(""))
        if recording is None or path.stat().st_size > MAX_SIDECAR_BYTES:
            continue
        try:
            text = join_spaces(read_text(path) or "")
        except ConfigError:
            continue
        if text:
            transcripts.append(Transcript(recording, text))
    if not transcripts:
        return None
    count = len(transcripts)
    return TranscriptSource(
        recordings.folder, "text files", tuple(transcripts), count, is_plain=False
    )


def iter_transcripts(sources: Iterable[TranscriptSource]) -> Iterator[Transcript]:
    """Yield the transcripts of all sources."""
    for source in sources:
        yield from source.transcripts
