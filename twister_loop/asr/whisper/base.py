"""Base class of recognizers for Whisper's weights, whatever computes the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from ...core.types import Checkpoint, Utterance
from .._base import Recognizer, WeightsStatus
from . import weights
from .long_form import explain_unsupported
from .model import (
    LONGEST_CLIP,
    WINDOW_LENGTH,
    WhisperProcessing,
    supported_margins,
    weights_folder,
)
from .options import DecodingOptions


@dataclass(frozen=True)
class WhisperWeightsRecognizer(DecodingOptions, Recognizer):
    """Recognizer whose checkpoints are folders of Whisper in transformers' format."""

    longest_clip = LONGEST_CLIP

    def initial_checkpoint(self) -> Checkpoint:
        return weights.locate_weights(self.model)

    def find_weights(self) -> WeightsStatus:
        return weights.find_weights(self.model)

    def unsupported_reason(self, checkpoint: Checkpoint) -> Callable[[Utterance], str | None]:
        whisper = WhisperProcessing.from_folder(weights_folder(checkpoint))
        return partial(explain_unsupported, whisper, self)

    def full_window(self) -> Self | None:
        return replace(self, decoding="sequential")

    def full_context(self) -> Self:
        return replace(self, margin=WINDOW_LENGTH, decoding="clip")

    def faster_variants(self, checkpoint: Checkpoint) -> Sequence[Self]:
        return [replace(self, margin=margin) for margin in supported_margins(checkpoint)]
