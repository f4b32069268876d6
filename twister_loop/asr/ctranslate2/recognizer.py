"""The same Whisper, faster and by CTranslate2: it hears and does not learn."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from ...core.artifacts import not_in_cache_key
from ...core.errors import EngineError
from ...core.manifest import Manifest, iter_windows
from ...core.types import Checkpoint, Seconds, Utterance
from .._base import Recognizer
from ..whisper import decoding, weights
from ..whisper.model import WINDOW_LENGTH, supported_margins, weights_folder
from . import model as _ct2_model
from .model import ComputeType, CTranslate2Whisper


@dataclass(frozen=True)
class CTranslate2Recognizer(Recognizer):
    trainable: ClassVar[bool] = False
    model: str = "openai/whisper-base"
    """A folder, or a name on the hub; read only where no other checkpoint is given."""
    margin: Seconds = 5.0
    """Silence that the encoder hears after a clip, as for `whisper`."""
    compute_type: ComputeType = "auto"
    """What it computes in; auto is float16 on a GPU, and int8 on a processor."""
    decode_batch: int = not_in_cache_key(8)
    """Clips that are heard at once."""

    def __post_init__(self) -> None:
        if self.decode_batch < 1 or self.margin < 0:
            raise ValueError("decode_batch: must be 1 at least; margin: seconds, not less than 0")

    def initial_checkpoint(self) -> Checkpoint:
        return weights.locate_weights(self.model)

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        whisper = CTranslate2Whisper.load(weights_folder(checkpoint), self.compute_type)
        for window in iter_windows(speech):
            yield from decoding.transcribe_window(
                whisper, whisper.decode_greedily, window, self.margin, self.decode_batch
            )

    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        raise EngineError("ctranslate2 does not align; `whisper` does")

    def train(
        self,
        start: Checkpoint,
        training_set: Manifest,
        out: Path,
        seed: int,
        early_stopping_speech: Manifest | None = None,
    ) -> Checkpoint:
        raise EngineError("ctranslate2 does not learn; `whisper` does")

    def decoding_description(self) -> str:
        kind = _ct2_model.resolve_compute_type(self.compute_type)
        return f"greedy, margin {self.margin:g} s, repetition guard, CTranslate2 {kind}"

    def full_window(self) -> Self | None:
        return dataclasses.replace(self, margin=WINDOW_LENGTH)

    def faster_variants(self, checkpoint: Checkpoint) -> Sequence[Self]:
        return [dataclasses.replace(self, margin=each) for each in supported_margins(checkpoint)]
