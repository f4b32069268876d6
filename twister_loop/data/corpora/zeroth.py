"""Zeroth-Korean: read Korean, 105 speakers and 10 others (OpenSLR 40)."""

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
    folder: Path = field(metadata=NOT_IN_CACHE_KEY)
    """What `zeroth_korean.tar.gz` holds: `train_data_01`, `test_data_01`, `AUDIO_INFO`."""
    split: Literal["train", "test"]
    labeled: bool = True
    """Whether the transcripts are given."""
    published: ClassVar = {"train": 22_263, "test": 457}
    """As openslr.org/40 says: 51.6 and 1.2 hours."""

    def utterances(self) -> Iterator[Utterance]:
        """Raises ConfigError where the split is not there."""
        name = f"{self.split}_data_01"
        home = find_below(require_folder(self.folder, "Zeroth-Korean"), name, deep=1)
        if home is None:
            raise ConfigError(f"{self.folder}: no {name} in it; unpack zeroth_korean.tar.gz")
        # An id is speaker, script and number: 106_003_0000.
        found = (
            replace(each, lang="ko", speaker=f"zeroth-{each.id.partition('_')[0]}")
            for each in read_trans_files(home)
        )
        whole = (check_utterance(each, labeled=self.labeled) for each in found)
        yield from log_counts(f"zeroth {self.split}", whole)
