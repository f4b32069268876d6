"""Base class of recognizers for Whisper's weights, whatever computes the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Self

from ...core.registry import WRITTEN_AS_PATH
from ...core.schema_errors import show_value
from ...core.types import Checkpoint, Utterance
from .._base import Recognizer, WeightsStatus
from .._precision import find_device
from . import weights
from .model_folder import (
    CANDIDATE_MARGINS,
    LONGEST_CLIP,
    NO_TIMESTAMPS,
    WINDOW_LENGTH,
    ModelDescription,
    explain_too_long,
)
from .options import DecodingOptions
from .published import describe_model, published_checkpoint


@dataclass(frozen=True)
class WhisperWeightsRecognizer(DecodingOptions, Recognizer):
    """Recognizer whose checkpoints are folders of Whisper in transformers' format."""

    requires: ClassVar[tuple[str, ...]] = ("torch", "transformers")
    longest_clip = LONGEST_CLIP

    def validation_errors(self) -> Iterator[str]:
        yield from super().validation_errors()
        # Only folders are checked: the hub cannot be asked whenever a plan is read.
        if self.model.startswith(WRITTEN_AS_PATH) and not Path(self.model).expanduser().is_dir():
            yield f"model: there is no folder {self.model}"

    def initial_checkpoint(self) -> Checkpoint:
        return weights.locate_weights(self.model)

    def find_weights(self) -> WeightsStatus:
        return weights.find_weights(self.model)

    def preview_checkpoint(self, status: WeightsStatus) -> Checkpoint | None:
        if status.folder:
            return Checkpoint("whisper", status.folder)
        return published_checkpoint(self.model)

    def unsupported_reason(self, checkpoint: Checkpoint) -> Callable[[Utterance], str | None]:
        return partial(explain_unsupported, describe_model(checkpoint), self)

    def find_device(self) -> str:
        return find_device()

    def full_window(self) -> Self | None:
        return replace(self, decoding="sequential")

    def full_context(self) -> Self:
        return replace(self, margin=WINDOW_LENGTH, decoding="clip")

    def with_prompt(self, text: str) -> Self | None:
        return replace(self, prompt=text)

    def faster_variants(self, checkpoint: Checkpoint) -> Sequence[Self]:
        least = describe_model(checkpoint).trained_margin
        return [replace(self, margin=margin) for margin in CANDIDATE_MARGINS if margin >= least]


def explain_unsupported(
    model: ModelDescription, options: DecodingOptions, utterance: Utterance
) -> str | None:
    """Return why an utterance cannot be transcribed with these options, or None if it can."""
    if utterance.lang and model.languages and utterance.lang not in model.languages:
        from ...text.language_names import suggest_language

        hint = suggest_language(utterance.lang, model.languages)
        return f"Whisper has no language {show_value(utterance.lang)}; {hint}"
    is_sequential = options.decoding == "sequential" or (
        options.long_form == "sequential" and explain_too_long(utterance) is not None
    )
    if is_sequential and not model.has_timestamps:
        return f"{NO_TIMESTAMPS}, which the sequential algorithm needs"
    return None
