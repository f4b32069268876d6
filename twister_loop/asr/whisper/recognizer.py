"""OpenAI's Whisper in transformers, for transcription, alignment and fine-tuning."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from ...core.manifest import Manifest, iter_windows
from ...core.types import Checkpoint, Share, Utterance
from .._precision import resolve_dtype
from . import memory
from .base import WhisperWeightsRecognizer
from .model_folder import weights_folder
from .options import WhisperOptions

# PyTorch and transformers take seconds to import, and most commands only read a plan's options:
# the modules that compute with them are imported by the methods that do.


@dataclass(frozen=True)
class WhisperRecognizer(WhisperOptions, WhisperWeightsRecognizer):
    """OpenAI's Whisper; see `Recognizer` for its methods and `WhisperOptions` for its options.

    >>> WhisperRecognizer(beam=5).full_window().decoding
    'sequential'
    """

    can_average: ClassVar[bool] = True
    # The mean of two trainings made fewer errors than one of twice the length, and half way to the
    # untouched weights it forgot less (BENCHMARKS.md).
    default_averaging: ClassVar[tuple[int, float]] = (2, 0.5)

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        from . import transcription
        from .model import Whisper

        whisper = Whisper.load(weights_folder(checkpoint), resolve_dtype(self.precision))
        yield from transcription.transcribe(self, whisper, speech)

    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        from . import alignment
        from .model import Whisper

        folder, dtype = weights_folder(checkpoint), resolve_dtype(self.precision)
        whisper = Whisper.load(folder, dtype)
        for window in iter_windows(speech):
            yield from alignment.align_window(whisper, window, self.margin, self.decode_batch)

    def label_length_ratio(self, start: Checkpoint) -> Callable[[Utterance], Share]:
        from . import labels
        from .model import WhisperProcessing

        return labels.label_length_ratio(WhisperProcessing.from_folder(weights_folder(start)))

    def train(
        self,
        start: Checkpoint,
        training_set: Manifest,
        out: Path,
        seed: int,
        early_stopping_speech: Manifest | None = None,
    ) -> Checkpoint:
        from . import training

        return training.train(
            self,
            start=start,
            training_set=training_set,
            out=out,
            seed=seed,
            early_stopping_speech=early_stopping_speech,
        )

    def average_weights(
        self, trained: Sequence[Checkpoint], untouched: Checkpoint, interpolate: float, out: Path
    ) -> Checkpoint:
        from . import weight_averaging

        return weight_averaging.average_weights(trained, untouched, interpolate, out)

    @property
    def early_stopping_set(self) -> str | None:
        return self.stop.set if self.stop else None

    def decoding_description(self) -> str:
        from .long_form import describe_algorithm

        precision = str(resolve_dtype(self.precision)).removeprefix("torch.")
        method = f"beam of {self.beam}" if self.beam > 1 else "greedy"
        method = f"sampled at temperature {self.temperature:g}" if self.temperature else method
        algorithm = describe_algorithm(self, fallback="temperature fallback")
        return f"{method}, {algorithm}, {precision}"

    def with_beam(self, beam: int, temperature: float = 0.0, nbest: int = 0) -> Self | None:
        return dataclasses.replace(self, beam=beam, temperature=temperature, nbest=nbest or None)

    def with_updates(self, updates: int, batch_scale: float = 1.0) -> Self:
        batch = max(1, round(self.batch * batch_scale))
        # As many epochs as updates: an epoch has at least one, so that `max_steps` always decides.
        # No early stopping: it would give the arms of an experiment different amounts of training.
        return dataclasses.replace(self, max_steps=updates, epochs=updates, batch=batch, stop=None)

    def keeping_all_epochs(self) -> Self:
        # LoRA's adapters are merged only at the end, so there are no whole weights in between.
        return self if self.lora else dataclasses.replace(self, keep_epochs=True)

    def disk_bytes_needed(self, start: Checkpoint, trainings: int = 1) -> int:
        return memory.disk_bytes_needed(self, start, trainings)

    def memory_bytes_needed(self, start: Checkpoint) -> int:
        method, needed_bytes = memory.estimate_training(self, start)
        return needed_bytes[method]

    def preflight_warnings(self, start: Checkpoint) -> Iterator[str]:
        return memory.preflight_warnings(self, start)
