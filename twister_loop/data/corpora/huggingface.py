"""Any speech data set that the library `datasets` reads, from the Hugging Face hub or a folder.

Audio is decoded here and not by `datasets`, which would need FFmpeg. Audio that comes as bytes is
kept in the user's cache, in a file named by a hash of its content, so that streaming a data set
twice writes it once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Any

import datasets

from ...core import hub
from ...core.artifacts import NOT_IN_CACHE_KEY
from ...core.cache import cache_folder
from ...core.errors import ConfigError
from ...core.ranges import Count
from ...core.schema import suggest_name
from ...core.types import Language, Utterance
from ._base import Corpus
from ._lines import join_spaces
from ._listed import check_utterance, log_counts, reject
from ._locales import language_of_locale

_LOAD_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,
    ImportError,
    datasets.exceptions.DatasetsError,
)
"""What `datasets` raises for a set, network or split that is missing, or files that it cannot
read; errors of pyarrow are among them."""


@dataclass(frozen=True)
class HuggingFace(Corpus):
    """One split of a data set."""

    dataset: str | None = None
    """Name on the hub, such as `google/fleurs`."""
    folder: Path | None = field(default=None, metadata=NOT_IN_CACHE_KEY)
    """Folder instead of a name: one that `save_to_disk` wrote, or files for `load_dataset`."""
    config: str | None = None
    """Configuration of the data set, such as `ko_kr`."""
    split: str = "train"
    """Split of the data set, such as `train`, `validation` or `test`."""
    revision: str | None = None
    """Commit on the hub. Without one, a change of the data set changes the corpus of a plan."""
    audio: str = "audio"
    """Column with the audio."""
    text: str | None = "text"
    """Column with the transcripts; null leaves them out, so that the corpus can be a pool."""
    speaker: str | None = None
    """Column with the speakers; null if there is none."""
    lang: Language | None = None
    """Language (ISO 639-1) of rows without one; with null the recognizer detects it."""
    lang_column: str | None = None
    """Column with the language (ISO 639-1), for data sets of several languages."""
    streaming: bool = True
    """Fetch only the rows that are used, and copy nothing into the cache of the hub."""
    at_most: Count | None = None
    """Most utterances, from the first on; null for all."""

    def __post_init__(self) -> None:
        if (self.dataset is None) == (self.folder is None):
            raise ValueError("dataset, folder: give one of the two")

    def utterances(self) -> Iterator[Utterance]:
        """Yield the rows of the split in their order.

        Raises:
            ConfigError: The data set cannot be read, or a column is missing.
        """
        rows = self._load()
        # A streamed set may not know its features before its first row.
        columns = list(rows.features or next(self._iterate(rows.take(1)), {}))
        for column in filter(None, (self.audio, self.text, self.speaker, self.lang_column)):
            if column not in columns:
                raise ConfigError(
                    f"{self._name_and_split}: no column {column!r}; the columns are: "
                    f"{', '.join(columns)}; {suggest_name(column, columns)}"
                )
        features = dict(rows.features or {})
        if isinstance(features.get(self.audio), datasets.Audio):
            # Else `datasets` decodes every row, and needs FFmpeg for it.
            rows = rows.cast_column(self.audio, datasets.Audio(decode=False))
        utterances = (
            self._to_utterance(number, row, features)
            for number, row in enumerate(self._iterate(islice(rows, self.at_most)))
        )
        yield from log_counts(f"huggingface {self._name_and_split}", utterances)

    def explain_missing_text(self) -> str:
        if self.text is None:
            return f"{self._name_and_split} is named with `text: null`; name the column with texts"
        return f"the column {self.text!r} of {self._name_and_split} is empty"

    @property
    def _name_and_split(self) -> str:
        return f"{self.dataset or self.folder}, {self.split}"

    def _load(self) -> Any:
        """Load the split. Raises ConfigError with the remedies if it cannot be read."""
        try:
            if self.folder and _is_saved_dataset(self.folder):
                saved = datasets.load_from_disk(str(self.folder))
                return saved[self.split] if isinstance(saved, datasets.DatasetDict) else saved
            if self.dataset:
                self._check_hub(self.dataset)
            return datasets.load_dataset(
                self.dataset or str(self.folder),
                self.config,
                split=self.split,
                revision=self.revision,
                streaming=self.streaming,
            )
        except _LOAD_ERRORS as cause:
            raise ConfigError(
                f"{self._name_and_split}: cannot read the data set ({_first_line(cause)}). The hub "
                "needs a network (HF_ENDPOINT, HF_TOKEN, HF_HOME are respected); without a "
                "network, copy the data set to this machine and set `folder`"
            ) from cause

    def _check_hub(self, dataset: str) -> None:
        """Raise OSError if the data set is not on this machine and the hub cannot be reached."""
        # Without it `datasets` repeats its requests for half a minute.
        cached = Path(datasets.config.HF_DATASETS_CACHE) / dataset.replace("/", "___")
        if cached.is_dir() or hub.find_cached_folder(dataset, "dataset"):
            return
        if reason := hub.explain_unreachable():
            raise ConnectionError(reason)

    def _iterate(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Yield the rows. Raises ConfigError with the number of the row that cannot be read."""
        read = 0
        try:
            for row in rows:
                yield row
                read += 1
        except _LOAD_ERRORS as cause:
            raise ConfigError(
                f"{self._name_and_split}: cannot read row {read} ({_first_line(cause)})"
            ) from cause

    def _to_utterance(
        self, number: int, row: Mapping[str, Any], features: Mapping[str, Any]
    ) -> Utterance:
        utterance = Utterance(id=f"{self.split}/{number:07d}")
        try:
            text, lang, speaker = (
                _read_cell(column, row, features)
                for column in (self.text, self.lang_column, self.speaker)
            )
        except ValueError as cause:
            return reject(utterance, "bad_row", f"row {number} of {self._name_and_split}: {cause}")
        utterance = replace(
            utterance,
            text=(text or "") if self.text else None,
            lang=language_of_locale(lang) or self.lang,
            speaker=speaker,
        )
        path = self._find_file(row[self.audio])
        if path is None:
            return reject(utterance, "no_audio", f"row {number}: neither bytes nor a file")
        utterance = replace(utterance, audio_filepath=path)
        return check_utterance(utterance, labeled=self.text is not None)

    def _find_file(self, audio: Any) -> Path | None:
        """Return the audio file of a row, after writing bytes to the cache; None without audio."""
        # A path, where a data set has no Audio feature.
        if isinstance(audio, str):
            return ((self.folder or Path()) / audio).absolute()
        if not isinstance(audio, Mapping):
            return None
        path, content = audio.get("path"), audio.get("bytes")
        if content is None:
            return Path(path).absolute() if path else None
        return _write_to_cache(content, Path(path or "").suffix)


def _read_cell(
    column: str | None, row: Mapping[str, Any], features: Mapping[str, Any]
) -> str | None:
    """Return a cell as one line of text; None if it is empty. Raises ValueError for a table."""
    if column is None:
        return None
    content = row[column]
    if isinstance(content, Mapping | list | tuple | bytes):
        raise ValueError(f"{column} is no text")
    # Classes are stored as numbers, and their names with the features.
    if isinstance(feature := features.get(column), datasets.ClassLabel) and content is not None:
        content = feature.int2str(content) if content >= 0 else None
    # A missing cell of a column of numbers is NaN.
    if content is None or content != content:
        return None
    return join_spaces(str(content)) or None


def _first_line(error: BaseException) -> str:
    """Return the first line of an error, or of the one that it comes from if that says more."""
    cause = error.__cause__ or error
    return (str(cause).strip() or repr(cause)).splitlines()[0]


def _name_audio_without_torchcodec(
    encode: Callable[[datasets.Audio, Any], dict[str, Any]],
) -> Callable[[datasets.Audio, Any], dict[str, Any]]:
    """Return `datasets.Audio.encode_example` that imports torchcodec only to encode samples.

    `datasets` imports it also for audio that is only named or copied, as the files of an audio
    folder. Beside a CPU build of torch the import fails if torchcodec was built for CUDA.
    """

    @wraps(encode)
    def encode_example(self: datasets.Audio, content: Any) -> dict[str, Any]:
        if isinstance(content, str | Path):
            return {"bytes": None, "path": str(content)}
        if isinstance(content, bytes | bytearray):
            return {"bytes": bytes(content), "path": None}
        if isinstance(content, Mapping) and "array" not in content:
            path, sound = content.get("path"), content.get("bytes")
            if path or sound:
                # As there: what lies in a file is not copied into the table.
                in_file = path is not None and Path(path).is_file()
                return {"bytes": None if in_file else sound, "path": path}
        return encode(self, content)

    return encode_example


datasets.Audio.encode_example = _name_audio_without_torchcodec(datasets.Audio.encode_example)


def _is_saved_dataset(folder: Path) -> bool:
    """Return True for a folder that `save_to_disk` wrote."""
    return any((folder / name).is_file() for name in ("state.json", "dataset_dict.json"))


def _write_to_cache(content: bytes, suffix: str) -> Path:
    """Return the file in the cache with this content, and write it if it is missing."""
    # 64 bits: no two clips of a data set share them by chance.
    digest = hashlib.sha256(content).hexdigest()[:16]
    path = cache_folder() / "datasets" / digest[:2] / f"{digest}{suffix}"
    if not (path.is_file() and path.stat().st_size == len(content)):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Renamed when complete; the process id keeps two processes out of each other's way.
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        scratch.write_bytes(content)
        scratch.replace(path)
    return path
