"""Jasper, trained from scratch: convolutions with residuals, and CTC (arXiv 1904.03288)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from ..core.ranges import Fraction, Range
from ._from_scratch.feature_kinds import feature_size
from ._from_scratch.recognizer import ScratchRecognizer

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Jasper(ScratchRecognizer):
    """Blocks of convolutions over time, and CTC."""

    network_options: ClassVar = ("blocks", "repeat", "scale")
    blocks: Annotated[int, Range(1, 1000)] = 10
    """Number of blocks, each with residuals from all before it; 10 x 5 is the paper's largest."""
    repeat: Annotated[int, Range(1, 1000)] = 5
    """Convolutions in a block."""
    scale: Annotated[float, Range(above=0, high=100)] = 1.0
    """Factor of all widths, which are 256 to 1024 in the paper."""
    dropout: Fraction = 1.0
    """Factor of the paper's dropouts, which are 0.2 to 0.4; from 0 to 1."""

    def build_network(self, vocabulary_size: int) -> torch.nn.Module:
        from ._from_scratch.jasper_model import JasperModel

        return JasperModel(
            feature_size(self.features, self.mels),
            vocabulary_size,
            blocks=self.blocks,
            repeat=self.repeat,
            scale=self.scale,
            dropout=self.dropout,
        )
