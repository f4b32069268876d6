"""ASCEND, spontaneous code-switched speech in Mandarin and English (arXiv 2112.06223)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal

from ...core.artifacts import NOT_IN_CACHE_KEY
from ...core.errors import ConfigError
from ...core.types import Language, Utterance
from ._base import Corpus
from ._listed import check_utterance, log_counts, reject, require_folder
from ._tables import Row, read_table

_FILE, _TEXT, _LANG = ("file_name", "path"), ("transcription",), ("language",)


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
            ConfigError: The list is missing, in another encoding, or lacks a column.
        """
        listing = require_folder(self.folder, "ASCEND") / f"{self.split}_metadata.csv"
        if not listing.is_file():
            raise ConfigError(
                f"{listing}: no such list; take the repository's first form, with CSV files and "
                "waves (for its Parquet form there is {use: huggingface, dataset: CAiRE/ASCEND})"
            )
        table = read_table(listing, ",")
        for columns, content in (
            (_FILE, "the clips"),
            (_TEXT, "the transcripts"),
            (_LANG, "zh, en or mixed"),
        ):
            table.require(columns, content)
        selected = (
            row
            for row in table.rows
            if row.problem or self.language in ("all", row.fields.get("language"))
        )
        utterances = (self._to_utterance(row, listing) for row in selected)
        yield from log_counts(f"ascend {self.split}", utterances)

    def _to_utterance(self, row: Row, listing: Path) -> Utterance:
        place = f"{listing}:{row.line}"
        if row.problem or (file := row.get(_FILE)) is None:
            objection = f"{place}: {row.problem or 'no name of a clip'}"
            return reject(Utterance(id=f"{listing.name}:{row.line}"), "bad_row", objection)
        # Versions of the list differ in the name of the column and in the folder.
        name = PurePosixPath(file.replace("\\", "/")).name
        speaker = row.get(("original_speaker_id",))
        utterance = Utterance(
            id=name,
            audio_filepath=(self.folder / "waves" / name).absolute(),
            text=row.get(_TEXT),
            lang=lang if (lang := row.get(_LANG)) in ("zh", "en") else self.mixed_lang,
            speaker=f"ascend-{speaker}" if speaker else None,
        )
        return check_utterance(utterance, labeled=self.labeled)
