"""Mozilla Common Voice: one language of a release as it is unpacked (Ardila et al., LREC 2020)."""

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

LANGUAGES = {"zh-TW": "zh", "zh-CN": "zh", "zh-HK": "yue", "nan-tw": "zh", "ne-NP": "ne"}
"""Locales that Whisper calls otherwise; else it is what stands before the hyphen."""


@dataclass(frozen=True)
class CommonVoice(Corpus):
    folder: Path = field(metadata=NOT_IN_CACHE_KEY)
    """Of one language, such as `cv-corpus-17.0-2024-03-15/ko`: its lists and its `clips`."""
    split: str = "train"
    """A list by its name: train, dev, test, validated, other, invalidated."""
    lang: Language | None = None
    """As Whisper names it; left out, it is told from the column `locale`."""
    labeled: bool = True
    """Whether the sentences are given."""

    def utterances(self) -> Iterator[Utterance]:
        """Raises ConfigError where the list is not there, or is none of Common Voice."""
        listing = require_folder(self.folder, "Common Voice") / f"{self.split}.tsv"
        if not listing.is_file():
            there = ", ".join(sorted(each.stem for each in self.folder.glob("*.tsv"))) or "none"
            raise ConfigError(f"{listing}: no such list; there are: {there}")
        durations = dict(self._durations())
        found = (self._utterance(row, durations) for row in _rows(listing, "path", "sentence"))
        yield from log_counts(f"common_voice {self.split}", found)

    def _utterance(self, row: Mapping[str, str], durations: Mapping[str, Seconds]) -> Utterance:
        name = row["path"] if row["path"].endswith(".mp3") else f"{row['path']}.mp3"
        locale = row.get("locale") or ""
        made = Utterance(
            id=name,
            audio_filepath=(self.folder / "clips" / name).absolute(),
            duration=durations.get(name, 0.0),
            text=" ".join((row["sentence"] or "").split()),
            lang=self.lang or LANGUAGES.get(locale) or locale.partition("-")[0] or None,
            speaker=row.get("client_id") or None,
        )
        return check_utterance(made, labeled=self.labeled)

    def _durations(self) -> Iterator[tuple[str, Seconds]]:
        """Newer releases say how long each clip is."""
        listing = self.folder / "clip_durations.tsv"
        if listing.is_file():
            for row in _rows(listing, "clip", "duration[ms]"):
                yield row["clip"], int(row["duration[ms]"]) / 1000


def _rows(listing: Path, *needed: str) -> Iterator[Mapping[str, str]]:
    """Rows of a list; quotation marks are part of a sentence."""
    with listing.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        if missing := set(needed) - set(rows.fieldnames or ()):
            raise ConfigError(f"{listing}: no column {', '.join(sorted(missing))}")
        yield from rows
