"""LibriSpeech: read English (Panayotov et al., ICASSP 2015; OpenSLR 12)."""

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

Split = Literal[
    "train-clean-100", "train-clean-360", "train-other-500",
    "dev-clean", "dev-other", "test-clean", "test-other",
]  # fmt: skip


@dataclass(frozen=True)
class LibriSpeech(Corpus):
    folder: Path = field(metadata=NOT_IN_CACHE_KEY)
    """`LibriSpeech`, or what it lies in."""
    split: Split
    labeled: bool = True
    """Whether the transcripts are given (in small letters; the files have capitals)."""
    published: ClassVar = {
        "train-clean-100": 28_539,
        "train-clean-360": 104_014,
        "train-other-500": 148_688,
        "dev-clean": 2_703,
        "dev-other": 2_864,
        "test-clean": 2_620,
        "test-other": 2_939,
    }
    """As the card of openslr/librispeech_asr on the hub says."""

    def utterances(self) -> Iterator[Utterance]:
        """Raises ConfigError where the split is not there."""
        home = find_below(require_folder(self.folder, "LibriSpeech"), self.split, deep=1)
        if home is None:
            raise ConfigError(f"{self.folder}: no {self.split} in it; unpack {self.split}.tar.gz")
        found = (
            replace(
                each,
                text=(each.text or "").lower(),
                lang="en",
                speaker=f"librispeech-{each.id.partition('-')[0]}",
            )
            for each in read_trans_files(home)
        )
        whole = (check_utterance(each, labeled=self.labeled) for each in found)
        yield from log_counts(f"librispeech {self.split}", whole)
