"""Folder of audio files, with the transcripts of its `metadata.jsonl` or `metadata.csv`.

The layout is that of the audiofolder of Hugging Face datasets: `file_name` relative to the
metadata file, `text` (or `transcription`, `sentence`), optionally `lang` and `speaker`.
"""

from __future__ import annotations

import csv
import json
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from ...audio import io as audio
from ...core.artifacts import NOT_IN_CACHE_KEY, not_in_cache_key
from ...core.errors import AudioError, ConfigError, ManifestError
from ...core.types import Language, Seconds, Utterance
from ._base import Corpus

log = logging.getLogger(__name__)

TEXT_COLUMNS = ("text", "transcription", "sentence")


@dataclass(frozen=True)
class AudioFolder(Corpus):
    """Audio files in a folder and the folders below it."""

    folder: Path = field(metadata=NOT_IN_CACHE_KEY)
    """Folder of audio, with or without metadata files at any depth."""
    lang: Language | None = None
    """Language of files without `lang` in their metadata (ISO 639-1); with None the recognizer
    detects it utterance by utterance."""
    settled: Seconds = not_in_cache_key(0.0)
    """Seconds for which a file must not have changed. A file that changed more recently may still
    be being written, and is left out."""

    def excluding_recent_files(self, min_age: Seconds) -> Self:
        return replace(self, settled=max(self.settled, min_age))

    def utterances(self) -> Iterator[Utterance]:
        """Yield every audio file, sorted by path; one that cannot be read has an `error`.

        Raises:
            ConfigError: The folder is missing.
            ManifestError: A row of the metadata is malformed.
        """
        metadata = dict(self._read_metadata())
        for path in self.files():
            row = metadata.get(path.resolve(), {})
            # The first column that is filled; data sets name it differently.
            text = next((row[column] for column in TEXT_COLUMNS if row.get(column)), None)
            try:
                duration, error = audio.read_duration(path), None
            except AudioError as cause:
                # Listed with the error, so that the scan rejects it and counts it.
                duration, error = 0.0, str(cause)
            yield Utterance(
                id=path.relative_to(self.folder).as_posix(),
                audio_filepath=path.absolute(),
                duration=duration,
                text=text,
                lang=row.get("lang") or self.lang,
                speaker=row.get("speaker"),
                error=error,
            )

    def files(self) -> Iterator[Path]:
        """Yield all audio files that are not being written, sorted by path.

        Raises:
            ConfigError: The folder is missing.
        """
        if not self.folder.is_dir():
            raise ConfigError(f"{self.folder}: no such folder of audio")
        recent = 0
        # Sorted, because file systems list folders in different orders.
        for path in sorted(self.folder.rglob("*")):
            if path.suffix.lower() in audio.SUFFIXES and path.is_file():
                if not self.settled or _seconds_since_change(path) >= self.settled:
                    yield path
                else:
                    recent += 1
        if recent:
            log.info(
                "%s: ignoring %d files modified within the last %g s",
                self.folder, recent, self.settled,
            )  # fmt: skip

    def _read_metadata(self) -> Iterator[tuple[Path, Mapping[str, str]]]:
        """Yield every row of all metadata files by the path of its audio file."""
        for path in sorted(self.folder.rglob("metadata.*")):
            if path.suffix not in {".jsonl", ".csv"}:
                continue
            with path.open(encoding="utf-8", newline="") as lines:  # newline="" as csv wants it
                rows = csv.DictReader(lines) if path.suffix == ".csv" else map(json.loads, lines)
                try:
                    for row in rows:
                        yield (path.parent / row["file_name"]).resolve(), row
                except (ValueError, KeyError) as cause:
                    raise ManifestError(f"{path}: a row without file_name ({cause})") from cause


def _seconds_since_change(path: Path) -> Seconds:
    """Return the age of the last change; 0 if the file was deleted meanwhile."""
    try:
        # Not the time of modification: tools such as `cp -p` and rsync set that back to the time
        # of the original, but no tool sets back the change of the inode.
        return time.time() - path.stat().st_ctime
    except OSError:
        return 0.0
