"""LibriSpeech, read English speech (Panayotov et al., ICASSP 2015; OpenSLR 12)."""

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
    """One split of LibriSpeech."""

    folder: Path = field(metadata=NOT_IN_CACHE_KEY)
    """The folder `LibriSpeech`, or the folder that it lies in."""
    split: Split
    labeled: bool = True
    """Yield the transcripts, in lower case (the files have capitals); without them the corpus can
    be a pool."""
    published: ClassVar = {
        "train-clean-100": 28_539,
        "train-clean-360": 104_014,
        "train-other-500": 148_688,
        "dev-clean": 2_703,
        "dev-other": 2_864,
        "test-clean": 2_620,
        "test-other": 2_939,
    }
    """Source: the card of openslr/librispeech_asr on the Hugging Face hub."""

    def utterances(self) -> Iterator[Utterance]:
        """Yield the split.

        Raises:
            ConfigError: The split is not in the folder.
        """
        # With or without the archive's own top folder.
        folder = require_folder(self.folder, "LibriSpeech")
        split_folder = find_below(folder, self.split, max_depth=1)
        if split_folder is None:
            raise ConfigError(f"{self.folder}: no {self.split} in it; unpack {self.split}.tar.gz")
        utterances = (
            replace(
                utterance,
                # Whisper would learn to write capitals.
                text=(utterance.text or "").lower(),
                lang="en",
                # An id is speaker, chapter and number: 1688-142285-0001.
                speaker=f"librispeech-{utterance.id.partition('-')[0]}",
            )
            for utterance in read_trans_files(split_folder)
        )
        checked = (check_utterance(utterance, labeled=self.labeled) for utterance in utterances)
        yield from log_counts(f"librispeech {self.split}", checked)
