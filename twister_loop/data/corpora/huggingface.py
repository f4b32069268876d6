"""Any data set of speech that the library `datasets` reads: by name from the hub, or a folder.

Audio is decoded here and not by `datasets`, which would need FFmpeg. What comes as bytes is kept
in the user's cache, in a file named by its content, so that streaming a set twice writes it once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import datasets

from ...core.artifacts import NOT_IN_CACHE_KEY
from ...core.cache import cache_folder
from ...core.errors import ConfigError
from ...core.schema import suggest_name
from ...core.types import Language, Utterance
from ._base import Corpus
from ._listed import check_utterance, log_counts, reject


@dataclass(frozen=True)
class HuggingFace(Corpus):
    dataset: str | None = None
    """On the hub, such as `google/fleurs`."""
    folder: Path | None = field(default=None, metadata=NOT_IN_CACHE_KEY)
    """Instead of a name: what `save_to_disk` wrote, or files that `load_dataset` reads."""
    config: str | None = None
    """Of the data set, such as `ko_kr`."""
    split: str = "train"
    revision: str | None = None
    """A commit of the hub: without one, the set may change under the plan."""
    audio: str = "audio"
    """Column of the speech."""
    text: str | None = "text"
    """Column of the transcripts; null leaves them out, so that it can be a pool."""
    speaker: str | None = None
    """Column of the speakers."""
    lang: Language | None = None
    lang_column: str | None = None
    """Column of the languages, where they differ."""
    streaming: bool = True
    """Whether only what is used is fetched from the hub, and nothing is copied into its cache."""
    at_most: int | None = None
    """Utterances, from the first on."""

    def __post_init__(self) -> None:
        if (self.dataset is None) == (self.folder is None):
            raise ValueError("dataset, folder: give one of the two")

    def utterances(self) -> Iterator[Utterance]:
        """Raises ConfigError where the set or a column is not there."""
        rows = self._loaded()
        columns = list(rows.features or next(iter(rows.take(1)), {}))
        for column in filter(None, (self.audio, self.text, self.speaker, self.lang_column)):
            if column not in columns:
                raise ConfigError(
                    f"{self._what}: no column {column!r}; {suggest_name(column, columns)}"
                )
        if isinstance((rows.features or {}).get(self.audio), datasets.Audio):
            rows = rows.cast_column(self.audio, datasets.Audio(decode=False))
        numbered = enumerate(islice(rows, self.at_most))
        found = (self._utterance(number, row) for number, row in numbered)
        yield from log_counts(f"huggingface {self._what}", found)

    @property
    def _what(self) -> str:
        return f"{self.dataset or self.folder}, {self.split}"

    def _loaded(self) -> Any:
        try:
            if self.folder and _saved(self.folder):
                saved = datasets.load_from_disk(str(self.folder))
                return saved[self.split] if isinstance(saved, datasets.DatasetDict) else saved
            return datasets.load_dataset(
                self.dataset or str(self.folder),
                self.config,
                split=self.split,
                revision=self.revision,
                streaming=self.streaming,
            )
        except (
            OSError,
            ValueError,
            KeyError,
            RuntimeError,
            datasets.exceptions.DatasetsError,
        ) as e:
            why = (str(e).strip() or repr(e)).splitlines()[0]
            raise ConfigError(
                f"{self._what}: no data set that can be read ({why}). From the hub it needs a "
                "network (HF_ENDPOINT, HF_TOKEN, HF_HOME are respected); without one, bring it "
                "here and give its `folder`"
            ) from e

    def _utterance(self, number: int, row: Mapping[str, Any]) -> Utterance:
        made = Utterance(
            id=f"{self.split}/{number:07d}",
            text=" ".join(str(row[self.text] or "").split()) if self.text else None,
            lang=(row[self.lang_column] if self.lang_column else None) or self.lang,
            speaker=str(row[self.speaker]) if self.speaker else None,
        )
        path = self._file(row[self.audio])
        if path is None:
            return reject(made, "no_audio", f"row {number}: neither bytes nor a file")
        return check_utterance(replace(made, audio_filepath=path), labeled=self.text is not None)

    def _file(self, audio: Any) -> Path | None:
        """Where the audio of a row is; bytes are written to the cache first."""
        if isinstance(audio, str):
            return Path(audio).absolute()
        if not isinstance(audio, Mapping):
            return None
        path, data = audio.get("path"), audio.get("bytes")
        if data is None:
            return Path(path).absolute() if path else None
        return _kept(data, Path(path or "").suffix)


def _saved(folder: Path) -> bool:
    return any((folder / note).is_file() for note in ("state.json", "dataset_dict.json"))


def _kept(data: bytes, suffix: str) -> Path:
    """The file with this content; whole or not there."""
    digest = hashlib.sha256(data).hexdigest()[:16]
    path = cache_folder() / "datasets" / digest[:2] / f"{digest}{suffix}"
    if not (path.is_file() and path.stat().st_size == len(data)):
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        scratch.write_bytes(data)
        scratch.replace(path)
    return path
