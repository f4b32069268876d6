"""Zeroth-Korean: read Korean, 105 speakers and 10 others (OpenSLR 40)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal

from ...core.errors import ConfigError
from ...core.types import Utterance
from ._base import Corpus
from ._listed import below, counted, existing, with_audio
from ._trans import transcribed


@dataclass(frozen=True)
class Zeroth(Corpus):
    folder: Path = field(metadata={"signed": False})
    """What `zeroth_korean.tar.gz` holds: `train_data_01`, `test_data_01`, `AUDIO_INFO`."""
    split: Literal["train", "test"]
    labeled: bool = True
    """Whether the transcripts are given."""
    published: ClassVar = {"train": 22_263, "test": 457}
    """As openslr.org/40 says: 51.6 and 1.2 hours."""

    def utterances(self) -> Iterator[Utterance]:
        """Raises ConfigError where the split is not there."""
        name = f"{self.split}_data_01"
        home = below(existing(self.folder, "Zeroth-Korean"), name, deep=1)
        if home is None:
            raise ConfigError(f"{self.folder}: no {name} in it; unpack zeroth_korean.tar.gz")
        # An id is speaker, script and number: 106_003_0000.
        found = (
            replace(each, lang="ko", speaker=f"zeroth-{each.id.partition('_')[0]}")
            for each in transcribed(home)
        )
        whole = (with_audio(each, labeled=self.labeled) for each in found)
        yield from counted(f"zeroth {self.split}", whole)
