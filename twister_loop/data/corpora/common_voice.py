"""Mozilla Common Voice, one language of an unpacked release (Ardila et al., LREC 2020)."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...core.artifacts import NOT_IN_CACHE_KEY
from ...core.errors import ConfigError
from ...core.types import Language, Seconds, Utterance
from ._base import Corpus
from ._listed import check_utterance, log_counts, require_folder

LANGUAGE_OF_LOCALE = {"zh-TW": "zh", "zh-CN": "zh", "zh-HK": "yue", "nan-tw": "zh", "ne-NP": "ne"}
"""Whisper's languages for some locales; for others it is the part before the hyphen."""


@dataclass(frozen=True)
class CommonVoice(Corpus):
    """One list of Common Voice."""

    folder: Path = field(metadata=NOT_IN_CACHE_KEY)
    """Folder of one language, such as `cv-corpus-17.0-2024-03-15/ko`, with lists and `clips`."""
    split: str = "train"
    """Name of a list: train, dev, test, validated, other, invalidated."""
    lang: Language | None = None
    """Language as Whisper names it (ISO 639-1); None reads it from the column `locale`."""
    labeled: bool = True
    """Yield the sentences; without them the corpus can be a pool."""

    def utterances(self) -> Iterator[Utterance]:
        """Yield the list in its order.

        Raises:
            ConfigError: The list is missing, or lacks the columns of Common Voice.
        """
        listing = require_folder(self.folder, "Common Voice") / f"{self.split}.tsv"
        if not listing.is_file():
            lists = ", ".join(sorted(path.stem for path in self.folder.glob("*.tsv"))) or "none"
            raise ConfigError(f"{listing}: no such list; there are: {lists}")
        durations = dict(self._read_durations())
        utterances = (
            self._to_utterance(row, durations) for row in _read_rows(listing, "path", "sentence")
        )
        yield from log_counts(f"common_voice {self.split}", utterances)

    def _to_utterance(self, row: Mapping[str, str], durations: Mapping[str, Seconds]) -> Utterance:
        # Older releases leave the suffix out.
        name = row["path"] if row["path"].endswith(".mp3") else f"{row['path']}.mp3"
        locale = row.get("locale") or ""
        utterance = Utterance(
            id=name,
            audio_filepath=(self.folder / "clips" / name).absolute(),
            duration=durations.get(name, 0.0),  # 0: `check_utterance` reads it from the file
            text=" ".join((row["sentence"] or "").split()),
            lang=self.lang or LANGUAGE_OF_LOCALE.get(locale) or locale.partition("-")[0] or None,
            speaker=row.get("client_id") or None,  # a pseudonym
        )
        return check_utterance(utterance, labeled=self.labeled)

    def _read_durations(self) -> Iterator[tuple[str, Seconds]]:
        """Yield the duration of each clip by its name; older releases have no such list."""
        listing = self.folder / "clip_durations.tsv"
        if listing.is_file():
            for row in _read_rows(listing, "clip", "duration[ms]"):
                yield row["clip"], int(row["duration[ms]"]) / 1000


def _read_rows(listing: Path, *required_columns: str) -> Iterator[Mapping[str, str]]:
    """Yield the rows of a list. Raises ConfigError if it lacks a required column."""
    with listing.open(encoding="utf-8-sig", newline="") as lines:
        # The lists do not quote: a quotation mark is a part of a sentence.
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        if missing := set(required_columns) - set(rows.fieldnames or ()):
            raise ConfigError(f"{listing}: no column {', '.join(sorted(missing))}")
        yield from rows
