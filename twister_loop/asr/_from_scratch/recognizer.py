"""What recognizers that begin from nothing share: they hear, align and learn by CTC."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch

from ...core.manifest import Manifest, windows
from ...core.types import Checkpoint, Utterance
from .architecture import ScratchArchitecture
from .loaded_model import load
from .training import train

UNTRAINED = "untrained: there are no weights yet, so it hears nothing"


@dataclass(frozen=True)
class ScratchRecognizer(ScratchArchitecture):
    """A recognizer whose weights are drawn from `seed` when its first training begins.

    Before that it hears nothing, and says so with empty texts; what writes them is learned from
    the first lesson, and kept with the weights. A later lesson cannot add letters.
    """

    def initial_checkpoint(self) -> Checkpoint:
        shape = {name: getattr(self, name) for name in self._architecture()}
        drawn = f"untrained, weights drawn from seed {self.seed}"
        known = json.dumps([self.seed, shape])
        digest = hashlib.sha256(known.encode()).hexdigest()[:16]
        return Checkpoint(self.name, source=drawn, digest=digest)

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        ear = load(self, checkpoint)
        for window in windows(speech):
            if ear is None:
                yield from (
                    each if each.should_skip else replace(each, pred_text="") for each in window
                )
            else:
                yield from ear.work(window, ear.heard)

    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        ear = load(self, checkpoint)
        for window in windows(speech):
            if ear is None:
                yield from (
                    each if each.should_skip else replace(each, error=UNTRAINED) for each in window
                )
            else:
                yield from ear.work(window, ear.aligned)

    def train(
        self,
        start: Checkpoint,
        training_set: Manifest,
        out: Path,
        seed: int,
        early_stopping_speech: Manifest | None = None,
    ) -> Checkpoint:
        return train(self, start, training_set, out, seed)

    def decoding_description(self) -> str:
        return "greedy CTC" if self.decode == "greedy" else f"CTC beam of {self.beam}"

    def with_beam(self, beam: int, temperature: float = 0.0, nbest: int = 0) -> Self | None:
        return None if temperature or nbest else replace(self, decode="beam", beam=beam)

    def with_updates(self, updates: int, batch_scale: float = 1.0) -> Self:
        batch = max(1, round(self.batch * batch_scale))
        return replace(self, max_steps=updates, epochs=updates, batch=batch)

    def keeping_all_epochs(self) -> Self:
        return replace(self, keep_epochs=True)

    def disk_bytes_needed(self, start: Checkpoint) -> int:
        with torch.device("meta"):
            count = sum(each.numel() for each in self.network(self.subwords + 1).parameters())
        # The weights, and two states for going on (each with AdamW's two moments and averages).
        kept = self.epochs if self.keep_epochs else 0
        return 4 * count * (1 + 2 * (3 + self.average) + kept)
