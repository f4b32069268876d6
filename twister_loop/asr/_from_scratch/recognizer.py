"""Recognizer base of all models trained from scratch: CTC decoding, alignment, training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from ...audio.io import SAMPLE_RATE
from ...core.manifest import Manifest, iter_windows
from ...core.types import Checkpoint, Utterance
from .._precision import find_device
from .architecture import ScratchArchitecture
from .feature_kinds import TOO_SHORT, WINDOW

UNTRAINED = "cannot align: this model is untrained"


@dataclass(frozen=True)
class ScratchRecognizer(ScratchArchitecture):
    """A recognizer whose first training starts from random weights, drawn with `seed`.

    Untrained it transcribes everything as an empty text. Its first training also builds the
    vocabulary, which is saved with the weights; later trainings cannot add characters to it.
    """

    pretrained: ClassVar[bool] = False

    def initial_checkpoint(self) -> Checkpoint:
        source = f"untrained, weights drawn from seed {self.seed}"
        described = json.dumps([self.seed, self.architecture()])
        digest = hashlib.sha256(described.encode()).hexdigest()[:16]
        return Checkpoint(self.name, source=source, digest=digest)

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        from .loaded_model import load

        model = load(self, checkpoint)
        for window in iter_windows(speech):
            if model:
                yield from model.process_window(window, model.transcribe_batch)
            else:
                # An empty text, not an error: the first round measures the untrained model too.
                for utterance in window:
                    skip = utterance.should_skip
                    yield utterance if skip else replace(utterance, pred_text="")

    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        from .loaded_model import load

        model = load(self, checkpoint)
        for window in iter_windows(speech):
            if model:
                yield from model.process_window(window, model.align_batch)
            else:
                for utterance in window:
                    skip = utterance.should_skip
                    yield utterance if skip else replace(utterance, error=UNTRAINED)

    def unsupported_reason(self, checkpoint: Checkpoint) -> Callable[[Utterance], str | None]:
        # Any language and length: letters are learned, and no window is fixed.
        return lambda utterance: TOO_SHORT if utterance.duration * SAMPLE_RATE < WINDOW else None

    def train(
        self,
        start: Checkpoint,
        training_set: Manifest,
        out: Path,
        seed: int,
        early_stopping_speech: Manifest | None = None,
    ) -> Checkpoint:
        from .training import train

        return train(self, start, training_set, out, seed)

    def find_device(self) -> str:
        return find_device()

    def decoding_description(self) -> str:
        return "greedy CTC" if self.decode == "greedy" else f"CTC beam of {self.beam}"

    def with_beam(self, beam: int, temperature: float = 0.0, nbest: int = 0) -> Self | None:
        return None if temperature or nbest else replace(self, decode="beam", beam=beam)

    def with_updates(self, updates: int, batch_scale: float = 1.0) -> Self:
        batch = max(1, round(self.batch * batch_scale))
        # As many epochs as updates: an epoch has at least one, so `max_steps` ends the training.
        return replace(self, max_steps=updates, epochs=updates, batch=batch)

    def keeping_all_epochs(self) -> Self:
        return replace(self, keep_epochs=True)

    def disk_bytes_needed(self, start: Checkpoint, trainings: int = 1) -> int:
        import torch

        with torch.device("meta"):  # shapes only, no memory
            network = self.build_network(self.subwords + 1)
        weights = 4 * sum(weight.numel() for weight in network.parameters())
        # A resume state has the weights, AdamW's two moments, and the average's sums in float64;
        # there are two while one is being replaced by the next.
        resume_state = weights * (5 if self.average > 1 else 3)
        epochs = weights * self.epochs if self.keep_epochs else 0
        return trainings * (weights + epochs) + 2 * resume_state
