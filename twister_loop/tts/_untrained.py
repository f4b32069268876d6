"""Base of the synthesizers that learn nothing: they speak any text from the first round on."""

from __future__ import annotations

from pathlib import Path

from ..asr._base import BoundRecognizer
from ..core.manifest import Manifest
from ..core.types import Checkpoint
from ._base import Synthesizer


class UntrainedSynthesizer(Synthesizer):
    """Synthesizer whose voice is its options; everything else is drawn by the id of a text."""

    continues_from_last_round = False
    uses_randomness = False

    def train(
        self,
        start: Checkpoint | None,
        filtered_labels: Manifest,
        texts: Manifest,
        champion: BoundRecognizer,
        out: Path,
        seed: int,
    ) -> Checkpoint:
        """Return a checkpoint without weights, as rounds make one without asking."""
        return Checkpoint(self.name)
