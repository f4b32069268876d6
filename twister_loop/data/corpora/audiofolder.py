"""A folder of audio, searched through, with the transcripts of its `metadata.jsonl` or `.csv`.

The layout is the audiofolder's of Hugging Face datasets: `file_name` relative to the
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
    folder: Path = field(metadata=NOT_IN_CACHE_KEY)
    lang: Language | None = None
    """Of all of it; left open, the recognizer detects it utterance by utterance."""
    settled: Seconds = not_in_cache_key(0.0)
    """A file that changed more recently may still be being written, and is left out."""

    def excluding_recent_files(self, since: Seconds) -> Self:
        return replace(self, settled=max(self.settled, since))

    def utterances(self) -> Iterator[Utterance]:
        known = dict(self._metadata())
        for path in self.files():
            row = known.get(path.resolve(), {})
            text = next((row[column] for column in TEXT_COLUMNS if row.get(column)), None)
            try:
                duration, error = audio.read_duration(path), None
            except AudioError as cause:
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
        """All audio that is not being written, in a fixed order."""
        if not self.folder.is_dir():
            raise ConfigError(f"{self.folder}: no such folder of audio")
        left = 0
        for path in sorted(self.folder.rglob("*")):
            if path.suffix.lower() in audio.SUFFIXES and path.is_file():
                if not self.settled or _unchanged_for(path) >= self.settled:
                    yield path
                else:
                    left += 1
        if left:
            log.info("%s: %d files still change, and are left for the next look", self.folder, left)

    def _metadata(self) -> Iterator[tuple[Path, Mapping[str, str]]]:
        for path in sorted(self.folder.rglob("metadata.*")):
            if path.suffix not in {".jsonl", ".csv"}:
                continue
            with path.open(encoding="utf-8", newline="") as lines:
                rows = csv.DictReader(lines) if path.suffix == ".csv" else map(json.loads, lines)
                try:
                    for row in rows:
                        yield (path.parent / row["file_name"]).resolve(), row
                except (ValueError, KeyError) as cause:
                    raise ManifestError(f"{path}: a row without file_name ({cause})") from cause


def _unchanged_for(path: Path) -> Seconds:
    """By the change of the inode, which no copying tool sets back; 0 where it is gone again."""
    try:
        return time.time() - path.stat().st_ctime
    except OSError:
        return 0.0
