"""ASCEND, spontaneous code-switched speech in Mandarin and English (arXiv 2112.06223)."""

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
    """One split of ASCEND."""

    folder: Path = field(metadata=NOT_IN_CACHE_KEY)
    """Copy of its repository on the Hugging Face hub, with `waves` unpacked beside the lists."""
    split: Literal["train", "validation", "test"]
    language: Literal["all", "zh", "en", "mixed"] = "all"
    """Yield only utterances of that language. Results on ASCEND are reported for each and for all
    of them."""
    mixed_lang: Language | None = None
    """Language (ISO 639-1) of mixed utterances; with None the recognizer detects it."""
    labeled: bool = True
    """Yield the transcripts; without them the corpus can be a pool."""
    published: ClassVar = {"train": 9_869, "validation": 1_130, "test": 1_315}
    """Source: the card of CAiRE/ASCEND on the hub (1,129 for validation in an earlier version)."""

    def utterances(self) -> Iterator[Utterance]:
        """Yield the split in the order of its list.

        Raises:
            ConfigError: The list is missing, or lacks columns.
        """
        listing = require_folder(self.folder, "ASCEND") / f"{self.split}_metadata.csv"
        if not listing.is_file():
            raise ConfigError(
                f"{listing}: no such list; take the repository's first form, with CSV files and "
                "waves (for its Parquet form there is {use: huggingface, dataset: CAiRE/ASCEND})"
            )
        # newline="" because csv finds line ends inside quoted fields itself.
        with listing.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines)
            columns = set(rows.fieldnames or ())
            if not {"transcription", "language"} <= columns or not columns & {"path", "file_name"}:
                raise ConfigError(f"{listing}: not a list of ASCEND (its columns: {columns})")
            selected = (row for row in rows if self.language in ("all", row["language"]))
            yield from log_counts(f"ascend {self.split}", map(self._to_utterance, selected))

    def _to_utterance(self, row: Mapping[str, str]) -> Utterance:
        # Versions of the list differ in the name of the column and in the folder.
        name = Path(row.get("file_name") or row.get("path") or "").name
        lang = row["language"] if row["language"] in ("zh", "en") else self.mixed_lang
        utterance = Utterance(
            id=name,
            audio_filepath=(self.folder / "waves" / name).absolute(),
            text=" ".join((row["transcription"] or "").split()),
            lang=lang,
            speaker=f"ascend-{row['original_speaker_id']}"
            if "original_speaker_id" in row
            else None,
        )
        return check_utterance(utterance, labeled=self.labeled)
