"""Base class of recognizers that transcribe and do nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from ..core.errors import EngineError
from ..core.manifest import Manifest
from ..core.types import Checkpoint, Utterance
from ._base import Recognizer


class TranscribingRecognizer(Recognizer):
    """A recognizer that can neither train nor align; it labels, or gives second opinions."""

    trainable: ClassVar[bool] = False

    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        raise EngineError(f"{self.name} cannot align text; use `whisper`")

    def train(
        self,
        start: Checkpoint,
        training_set: Manifest,
        out: Path,
        seed: int,
        early_stopping_speech: Manifest | None = None,
    ) -> Checkpoint:
        raise EngineError(f"{self.name} cannot train; use `whisper`")
