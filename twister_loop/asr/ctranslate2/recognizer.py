"""Recognizer that transcribes with Whisper's weights in CTranslate2; it cannot train or align."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from ...core.artifacts import not_in_cache_key
from ...core.errors import EngineError
from ...core.manifest import Manifest, iter_windows
from ...core.types import Checkpoint, Seconds, Utterance
from .._base import Recognizer
from ..whisper import decoding, weights
from ..whisper.model import WINDOW_LENGTH, WhisperProcessing, supported_margins, weights_folder
from .model import ComputeType, CTranslate2Whisper, resolve_compute_type


@dataclass(frozen=True)
class CTranslate2Recognizer(Recognizer):
    """Whisper in CTranslate2, as the `labeler` of a plan, with the weights that `asr` trained."""

    trainable: ClassVar[bool] = False
    model: str = "openai/whisper-base"
    """Folder, or name on the Hugging Face hub; used only where no checkpoint is given."""
    margin: Seconds = 5.0
    """Seconds of silence after each clip, 0 or more, as for `whisper`."""
    compute_type: ComputeType = "auto"
    """Precision of computing. auto is float16 on a GPU, and int8 on a processor."""
    decode_batch: int = not_in_cache_key(8)
    """Clips per batch, 1 or more."""

    def __post_init__(self) -> None:
        if self.decode_batch < 1:
            raise ValueError(f"decode_batch must be at least 1, not {self.decode_batch}")
        if self.margin < 0:
            raise ValueError(f"margin must be 0 seconds or more, not {self.margin:g}")

    def initial_checkpoint(self) -> Checkpoint:
        return weights.locate_weights(self.model)

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        whisper = CTranslate2Whisper.load(weights_folder(checkpoint), self.compute_type)
        for window in iter_windows(speech):
            yield from decoding.transcribe_window(
                whisper,
                whisper.decode_greedily,
                window,
                margin=self.margin,
                batch_size=self.decode_batch,
            )

    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        raise EngineError("ctranslate2 cannot align text; use `whisper`")

    def unsupported_reason(self, checkpoint: Checkpoint) -> Callable[[Utterance], str | None]:
        return WhisperProcessing.from_folder(weights_folder(checkpoint)).explain_unsupported

    def train(
        self,
        start: Checkpoint,
        training_set: Manifest,
        out: Path,
        seed: int,
        early_stopping_speech: Manifest | None = None,
    ) -> Checkpoint:
        raise EngineError("ctranslate2 cannot train; use `whisper`")

    def decoding_description(self) -> str:
        compute_type = resolve_compute_type(self.compute_type)
        return f"greedy, margin {self.margin:g} s, repetition guard, CTranslate2 {compute_type}"

    def full_window(self) -> Self | None:
        return dataclasses.replace(self, margin=WINDOW_LENGTH)

    def faster_variants(self, checkpoint: Checkpoint) -> Sequence[Self]:
        margins = supported_margins(checkpoint)
        return [dataclasses.replace(self, margin=margin) for margin in margins]
