"""Zeroth-Korean, read Korean speech of 105 speakers in train and 10 others in test (OpenSLR 40)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal

from ...core.artifacts import NOT_IN_CACHE_KEY
from ...core.errors import ConfigError
from ...core.types import Utterance
from ._base import Corpus
from ._listed import check_utterance, find_below, log_counts, require_folder
from ._trans import read_trans_files


@dataclass(frozen=True)
class Zeroth(Corpus):
    """One split of Zeroth-Korean."""

    folder: Path = field(metadata=NOT_IN_CACHE_KEY)
    """The unpacked `zeroth_korean.tar.gz`: `train_data_01`, `test_data_01`, `AUDIO_INFO`."""
    split: Literal["train", "test"]
    labeled: bool = True
    """Yield the transcripts; without them the corpus can be a pool."""
    published: ClassVar = {"train": 22_263, "test": 457}
    """Source: openslr.org/40, which also gives 51.6 and 1.2 hours."""

    def utterances(self) -> Iterator[Utterance]:
        """Yield the split.

        Raises:
            ConfigError: The split is not in the folder.
        """
        name = f"{self.split}_data_01"
        split_folder = find_below(require_folder(self.folder, "Zeroth-Korean"), name, max_depth=1)
        if split_folder is None:
            raise ConfigError(f"{self.folder}: no {name} in it; unpack zeroth_korean.tar.gz")
        utterances = (
            # An id is speaker, script and number: 106_003_0000.
            replace(utterance, lang="ko", speaker=f"zeroth-{utterance.id.partition('_')[0]}")
            for utterance in read_trans_files(split_folder)
        )
        checked = (check_utterance(utterance, labeled=self.labeled) for utterance in utterances)
        yield from log_counts(f"zeroth {self.split}", checked)
