"""Folder of audio files, with the transcripts of its `metadata.csv`, `.tsv` or `.jsonl`.

The layout is that of the audiofolder of Hugging Face datasets: `file_name` relative to the
metadata file, `text`, optionally `lang` and `speaker`. Other usual names of these columns are in
`_tables.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Self

from ...audio import io as audio
from ...core.artifacts import NOT_IN_CACHE_KEY, not_in_cache_key
from ...core.errors import AudioError
from ...core.ranges import Range
from ...core.types import Language, Seconds, Utterance
from ._base import Corpus
from ._listed import reject
from ._metadata import Metadata, explain_missing_text
from ._walk import FolderWalk, FoundFile, show_name

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AudioFolder(Corpus):
    """Audio files in a folder and the folders below it."""

    folder: Path = field(metadata=NOT_IN_CACHE_KEY)
    """Folder of audio, with or without metadata files at any depth."""
    lang: Language | None = None
    """Language of files without `lang` in their metadata (ISO 639-1); with None the recognizer
    detects it utterance by utterance."""
    settled: Annotated[Seconds, Range(0)] = not_in_cache_key(0.0)
    """Seconds for which a file must not have changed. A file that changed more recently may still
    be being written, and is left out."""

    def excluding_recent_files(self, min_age: Seconds) -> Self:
        return replace(self, settled=max(self.settled, min_age))

    def utterances(self) -> Iterator[Utterance]:
        """Yield every audio file, sorted by path; one that cannot be read has an `error`.

        What may hold speech and is not read, such as a file of an unknown format or a broken link,
        is yielded with `rejected_by`.

        Raises:
            ConfigError: The folder is missing, or cannot be listed.
            ManifestError: A metadata file is no table, names no files, or has no usable row.
        """
        metadata = Metadata(FolderWalk(self.folder).find_tables())
        walk = FolderWalk(self.folder)
        for file in self._settled_files(walk):
            # Printable, since an id is text; the path keeps the bytes of the name.
            name = show_name(file.path.relative_to(self.folder).as_posix())
            utterance = Utterance(id=name, audio_filepath=file.path.absolute(), lang=self.lang)
            if file.rejected_by:
                yield reject(utterance, file.rejected_by, file.objection or "")
                continue
            description = metadata.describe(file.path)
            try:
                duration, error = audio.measure_duration(file.path), None
            except AudioError as cause:
                # Listed with the error, so that the scan rejects it and counts it.
                duration, error = 0.0, str(cause)
            yield replace(
                utterance,
                duration=duration,
                text=description.text,
                lang=description.lang or self.lang,
                speaker=description.speaker,
                speechless=description.speechless,
                error=error,
            )
        yield from metadata.rejected_rows(all_files_listed=not self.settled)
        walk.log_counts()

    def explain_missing_text(self) -> str:
        return explain_missing_text(self.folder)

    def files(self) -> Iterator[Path]:
        """Yield all audio files that are not being written, sorted by path.

        Raises:
            ConfigError: The folder is missing, or cannot be listed.
        """
        for file in self._settled_files(FolderWalk(self.folder)):
            if not file.rejected_by:
                yield file.path

    def _settled_files(self, walk: FolderWalk) -> Iterator[FoundFile]:
        """Yield what the walk finds, without files that may still be being written."""
        recent = 0
        for file in walk:
            may_change = self.settled and not file.rejected_by
            if may_change and _seconds_since_change(file.path) < self.settled:
                recent += 1
            else:
                yield file
        if recent:
            log.info(
                "%s: ignoring %d files modified within the last %g s",
                self.folder, recent, self.settled,
            )  # fmt: skip


def _seconds_since_change(path: Path) -> Seconds:
    """Return the age of the last change; 0 if the file was deleted meanwhile."""
    try:
        # Not the time of modification: tools such as `cp -p` and rsync set that back to the time
        # of the original, but no tool sets back the change of the inode.
        # The distance, since after a clock was set back all files would be of the future, and a
        # round would wait for hours; the clock of a server that holds the files may be a bit ahead.
        return abs(time.time() - path.stat().st_ctime)
    except OSError:
        return 0.0
