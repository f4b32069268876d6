"""Recognizer that transcribes with Whisper's weights in CTranslate2; it cannot train or align."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Self

from ...core.artifacts import not_in_cache_key
from ...core.errors import EngineError
from ...core.manifest import Manifest, iter_windows
from ...core.types import Checkpoint, Seconds, Utterance
from .._base import Recognizer
from ..whisper import weights
from ..whisper.decoding import FALLBACK_NGRAM
from ..whisper.long_form import AnyLengthDecoder, describe_algorithm, explain_unsupported
from ..whisper.model import (
    LONGEST_CLIP,
    WINDOW_LENGTH,
    WhisperProcessing,
    supported_margins,
    weights_folder,
)
from ..whisper.options import Decoding, LongForm
from ..whisper.sequential import Attempt
from .model import ComputeType, CTranslate2Whisper, resolve_compute_type


@dataclass(frozen=True)
class CTranslate2Recognizer(Recognizer):
    """Whisper in CTranslate2, as the `labeler` of a plan, with the weights that `asr` trained."""

    trainable: ClassVar[bool] = False
    longest_clip = LONGEST_CLIP
    model: str = "openai/whisper-base"
    """Folder, or name on the Hugging Face hub; used only where no checkpoint is given."""
    margin: Seconds = 5.0
    """Least seconds of silence after each clip, 0 or more, as for `whisper`."""
    decoding: Decoding = "clip"
    """Algorithm of decoding, as for `whisper`."""
    long_form: LongForm = "sequential"
    """Algorithm for recordings over 30 s, as for `whisper`."""
    condition_on_previous_text: bool = True
    """Whether a window of `sequential` is decoded after the text of the one before."""
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
        # CTranslate2 samples from one generator for all threads, so a text would depend on what is
        # decoded beside it. Forbidding n-grams takes the place of a higher temperature.
        without_repetition = partial(whisper.decode_greedily, ngram=FALLBACK_NGRAM)
        decoder = AnyLengthDecoder(
            whisper=whisper,
            decode=whisper.decode_greedily,
            attempts=[Attempt(whisper.decode_greedily), Attempt(without_repetition)],
            margin=self.margin,
            batch_size=self.decode_batch,
            decoding=self.decoding,
            long_form=self.long_form,
            with_previous_text=self.condition_on_previous_text,
        )
        for window in iter_windows(speech):
            yield from decoder.transcribe(window)

    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        raise EngineError("ctranslate2 cannot align text; use `whisper`")

    def unsupported_reason(self, checkpoint: Checkpoint) -> Callable[[Utterance], str | None]:
        whisper = WhisperProcessing.from_folder(weights_folder(checkpoint))
        return partial(explain_unsupported, whisper, self.decoding, self.long_form)

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
        algorithm = describe_algorithm(
            margin=self.margin,
            decoding=self.decoding,
            long_form=self.long_form,
            with_previous_text=self.condition_on_previous_text,
            fallback="repetition guard",
        )
        return f"greedy, {algorithm}, CTranslate2 {compute_type}"

    def full_window(self) -> Self | None:
        return dataclasses.replace(self, decoding="sequential")

    def full_context(self) -> Self:
        return dataclasses.replace(self, margin=WINDOW_LENGTH, decoding="clip")

    def faster_variants(self, checkpoint: Checkpoint) -> Sequence[Self]:
        margins = supported_margins(checkpoint)
        return [dataclasses.replace(self, margin=margin) for margin in margins]
