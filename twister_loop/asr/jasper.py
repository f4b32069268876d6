"""Jasper, from nothing: convolutions with residuals, and CTC (arXiv 1904.03288)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..core.types import Share
from ._from_scratch.features import size_of
from ._from_scratch.jasper_model import JasperModel
from ._from_scratch.recognizer import ScratchRecognizer


@dataclass(frozen=True)
class Jasper(ScratchRecognizer):
    shape: ClassVar = ("blocks", "repeat", "scale")
    blocks: int = 10
    """With residuals from every block before it; 10 x 5 is the paper's largest."""
    repeat: int = 5
    """Convolutions in a block."""
    scale: float = 1.0
    """Of all widths, which go from 256 to 1024."""
    dropout: Share = 1.0
    """Part of the paper's dropouts, which go from 0.2 to 0.4."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.blocks, self.repeat) < 1 or self.scale <= 0:
            raise ValueError("blocks, repeat: 1 at least; scale: more than 0")

    def network(self, tokens: int) -> torch.nn.Module:
        return JasperModel(
            size_of(self.features, self.mels),
            tokens,
            blocks=self.blocks,
            repeat=self.repeat,
            scale=self.scale,
            dropout=self.dropout,
        )
