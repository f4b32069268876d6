"""ASCEND: spontaneous Mandarin and English in one conversation (arXiv 2112.06223)."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from ...core.artifacts import NOT_IN_CACHE_KEY
from ...core.errors import ConfigError
from ...core.types import Language, Utterance
from ._base import Corpus
from ._listed import check_utterance, log_counts, require_folder


@dataclass(frozen=True)
class Ascend(Corpus):
    folder: Path = field(metadata=NOT_IN_CACHE_KEY)
    """What its repository on the hub holds, with `waves` unpacked beside the lists."""
    split: Literal["train", "validation", "test"]
    language: Literal["all", "zh", "en", "mixed"] = "all"
    """Only utterances of that language; ASCEND is reported for each and for all."""
    mixed_lang: Language | None = None
    """What to say of mixed utterances; left out, the recognizer detects the language."""
    labeled: bool = True
    """Whether the transcripts are given."""
    published: ClassVar = {"train": 9_869, "validation": 1_130, "test": 1_315}
    """As the card of CAiRE/ASCEND on the hub says (1,129 in an earlier version of it)."""

    def utterances(self) -> Iterator[Utterance]:
        """Raises ConfigError where the list is not there."""
        listing = require_folder(self.folder, "ASCEND") / f"{self.split}_metadata.csv"
        if not listing.is_file():
            raise ConfigError(
                f"{listing}: no such list; take the repository's first form, with CSV files and "
                "waves (for its Parquet form there is {use: huggingface, dataset: CAiRE/ASCEND})"
            )
        with listing.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines)
            columns = set(rows.fieldnames or ())
            if not {"transcription", "language"} <= columns or not columns & {"path", "file_name"}:
                raise ConfigError(f"{listing}: not a list of ASCEND (its columns: {columns})")
            wanted = (row for row in rows if self.language in ("all", row["language"]))
            yield from log_counts(f"ascend {self.split}", map(self._utterance, wanted))

    def _utterance(self, row: Mapping[str, str]) -> Utterance:
        name = Path(row.get("file_name") or row.get("path") or "").name
        lang = row["language"] if row["language"] in ("zh", "en") else self.mixed_lang
        made = Utterance(
            id=name,
            audio_filepath=(self.folder / "waves" / name).absolute(),
            text=" ".join((row["transcription"] or "").split()),
            lang=lang,
            speaker=f"ascend-{row['original_speaker_id']}"
            if "original_speaker_id" in row
            else None,
        )
        return check_utterance(made, labeled=self.labeled)
