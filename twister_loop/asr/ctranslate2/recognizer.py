"""Recognizer that transcribes with Whisper's weights in CTranslate2; it cannot train or align."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, ClassVar, Self

from ...core.artifacts import not_in_cache_key
from ...core.manifest import iter_windows
from ...core.ranges import Range
from ...core.types import Checkpoint, Utterance
from .._precision import ComputeType
from .._transcribing import TranscribingRecognizer
from ..whisper.base import WhisperWeightsRecognizer
from ..whisper.model_folder import weights_folder


@dataclass(frozen=True)
class CTranslate2Recognizer(TranscribingRecognizer, WhisperWeightsRecognizer):
    """Whisper in CTranslate2, as the `labeler` of a plan, with the weights that `asr` trained."""

    requires: ClassVar[tuple[str, ...]] = ("ctranslate2", "torch", "transformers")
    compute_type: ComputeType = "auto"
    """Precision of computing. auto is float16 on a GPU, and int8 on a processor."""
    decode_batch: Annotated[int, Range(1, 10000)] = not_in_cache_key(8)
    """Clips per batch, 1 or more."""

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        # Importing these takes seconds, which commands that only read a plan need not wait for.
        from ..whisper.decoding import FALLBACK_NGRAM
        from ..whisper.long_form import AnyLengthDecoder
        from ..whisper.sequential import Attempt
        from .model import CTranslate2Whisper

        whisper = CTranslate2Whisper.load(weights_folder(checkpoint), self.compute_type)
        # CTranslate2 samples from one generator for all threads, so a text would depend on what is
        # decoded beside it. Forbidding n-grams takes the place of a higher temperature.
        decode = partial(whisper.decode, beam=self.beam, nbest=self.nbest or 0)
        without_repetition = partial(decode, ngram=FALLBACK_NGRAM)
        decoder = AnyLengthDecoder(
            whisper=whisper,
            decode=decode,
            attempts=[Attempt(decode), Attempt(without_repetition)],
            options=self,
            batch_size=self.decode_batch,
        )
        for window in iter_windows(speech):
            yield from decoder.transcribe(window)

    def with_beam(self, beam: int, temperature: float = 0.0, nbest: int = 0) -> Self | None:
        # CTranslate2 samples from one generator for all threads; see `transcribe`.
        return None if temperature else replace(self, beam=beam, nbest=nbest or None)

    def decoding_description(self) -> str:
        from ..whisper.long_form import describe_algorithm
        from .model import resolve_compute_type

        compute_type = resolve_compute_type(self.compute_type)
        algorithm = describe_algorithm(self, fallback="repetition guard")
        method = f"beam of {self.beam}" if self.beam > 1 else "greedy"
        return f"{method}, {algorithm}, CTranslate2 {compute_type}"
