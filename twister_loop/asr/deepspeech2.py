"""Deep Speech 2, from nothing: convolutions, recurrent layers, CTC (arXiv 1512.02595).

With `attention` every recurrent layer is followed by self-attention with positions, as a student
report tried it on KsponSpeech: 10,000 clips, and a character error rate of 0.93.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from ._from_scratch.deepspeech2_model import Cell, DeepSpeech2Model
from ._from_scratch.features import size_of
from ._from_scratch.recognizer import ScratchRecognizer


@dataclass(frozen=True)
class DeepSpeech2(ScratchRecognizer):
    shape: ClassVar = ("hidden", "layers", "cell", "attention", "heads")
    hidden: int = 512
    """Of each direction of a recurrent layer; KoSpeech's."""
    layers: int = 5
    """Recurrent ones."""
    cell: Cell = "gru"
    attention: bool = False
    """Whether every recurrent layer is followed by self-attention."""
    heads: int = 4
    """Of that attention."""
    dropout: float = 0.1

    def network(self, tokens: int) -> torch.nn.Module:
        return DeepSpeech2Model(
            size_of(self.features, self.mels),
            tokens,
            hidden=self.hidden,
            layers=self.layers,
            cell=self.cell,
            attention=self.attention,
            heads=self.heads,
            dropout=self.dropout,
        )
