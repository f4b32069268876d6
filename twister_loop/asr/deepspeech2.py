"""Deep Speech 2, trained from scratch: convolutions, recurrent layers, CTC (arXiv 1512.02595).

With `attention` every recurrent layer is followed by self-attention with positions. A student
report tried this on 10,000 clips of KsponSpeech and reached a character error rate of 0.93.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from ..core.ranges import Range
from ._from_scratch.feature_kinds import Cell, feature_size
from ._from_scratch.recognizer import ScratchRecognizer

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class DeepSpeech2(ScratchRecognizer):
    """Convolutions, bidirectional recurrent layers and CTC."""

    network_options: ClassVar = ("hidden", "layers", "cell", "attention", "heads")
    hidden: Annotated[int, Range(1, 65536)] = 512
    """Width of each direction of a recurrent layer; the default is KoSpeech's."""
    layers: Annotated[int, Range(1, 1000)] = 5
    """Number of recurrent layers."""
    cell: Cell = "gru"
    attention: bool = False
    """Add self-attention after every recurrent layer."""
    heads: Annotated[int, Range(1, 1024)] = 4
    """Heads of that self-attention."""
    dropout: Annotated[float, Range(0, below=1)] = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.attention:
            self._check_heads(2 * self.hidden, self.heads, "twice `hidden`")

    def build_network(self, vocabulary_size: int) -> torch.nn.Module:
        from ._from_scratch.deepspeech2_model import DeepSpeech2Model

        return DeepSpeech2Model(
            feature_size(self.features, self.mels),
            vocabulary_size,
            hidden=self.hidden,
            layers=self.layers,
            cell=self.cell,
            attention=self.attention,
            heads=self.heads,
            dropout=self.dropout,
        )
