"""Network of Jasper (Li et al., arXiv 1904.03288): convolutions over time with residuals, and CTC.

No layer sees the padding of a batch: batch norms count frames of speech only.
"""

from __future__ import annotations

import torch
from torch import nn

from .deepspeech2_model import speech_mask

WIDTHS = (256, 384, 512, 640, 768)
"""Channels of the five kinds of block; likewise their kernels and dropouts, from the paper."""
KERNELS = (11, 13, 17, 21, 25)
DROPOUTS = (0.2, 0.2, 0.2, 0.3, 0.3)
LAST_LAYERS = ((896, 29, 2), (1024, 1, 1))
"""Channels, kernel and dilation of the two layers behind the blocks."""
LAST_DROPOUT = 0.4


class JasperModel(nn.Module):
    """Blocks of convolutions, and CTC.

    (batch, frames, size) and lengths -> log-probabilities (batch, frames / 2, vocabulary).
    """

    def __init__(
        self,
        size: int,
        vocabulary_size: int,
        *,
        blocks: int,
        repeat: int,
        scale: float,
        dropout: float,
    ) -> None:
        super().__init__()
        # The names of layers are those in trained weights: renaming one makes them unreadable.
        # At least one channel: tests use scales far below the paper's.
        widths = [max(1, round(scale * width)) for width in WIDTHS]
        self.first = Layer(size, widths[0], KERNELS[0], stride=2, dropout=dropout * DROPOUTS[0])
        self.blocks = nn.ModuleList()
        input_widths = [widths[0]]
        for number in range(blocks):
            # With fewer or more than ten blocks the five kinds are still spread evenly.
            kind = number * len(WIDTHS) // blocks
            self.blocks.append(
                Block(input_widths, widths[kind], KERNELS[kind], repeat, dropout * DROPOUTS[kind])
            )
            # The next block gets residuals from all blocks so far, and from the first layer.
            input_widths.append(widths[kind])
        (wide, kernel, dilation), (narrow, narrow_kernel, _) = LAST_LAYERS
        wide, narrow = (max(1, round(scale * width)) for width in (wide, narrow))
        last_dropout = dropout * LAST_DROPOUT
        self.wide = Layer(input_widths[-1], wide, kernel, dilation=dilation, dropout=last_dropout)
        self.narrow = Layer(wide, narrow, narrow_kernel, dropout=last_dropout)
        self.out = nn.Linear(narrow, vocabulary_size)

    def forward(
        self, features: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        lengths = (lengths + 1) // 2
        mask = speech_mask(lengths, (features.shape[1] + 1) // 2)
        hidden = self.first(features.transpose(1, 2), mask)  # (batch, channels, frames)
        outputs = [hidden]
        for block in self.blocks:
            hidden = block(outputs, mask)
            outputs.append(hidden)
        hidden = self.narrow(self.wide(hidden, mask), mask)
        return self.out(hidden.transpose(1, 2)).log_softmax(-1), lengths


class Layer(nn.Module):
    """Convolution, batch norm over frames of speech, ReLU after the residual, dropout."""

    def __init__(
        self,
        channels: int,
        width: int,
        kernel: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        padding = dilation * (kernel // 2)  # the number of frames stays the same
        self.conv = nn.Conv1d(channels, width, kernel, stride, padding, dilation, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, hidden: torch.Tensor, mask: torch.Tensor, residual: torch.Tensor | None = None
    ) -> torch.Tensor:
        normalized = masked_batch_norm(self.norm, self.conv(hidden), mask)
        # Zeros in the padding again: the next convolution reaches across the end of a clip.
        activated = (normalized if residual is None else normalized + residual).relu()
        return self.dropout(activated) * mask[:, None]


class Block(nn.Module):
    """Layers, the last with residuals from the outputs of all blocks before (dense residual)."""

    def __init__(
        self, input_widths: list[int], width: int, kernel: int, repeat: int, dropout: float
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Layer(input_widths[-1] if number == 0 else width, width, kernel, dropout=dropout)
            for number in range(repeat)
        )
        self.points = nn.ModuleList(
            nn.Conv1d(input_width, width, 1, bias=False) for input_width in input_widths
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in input_widths)

    def forward(self, outputs: list[torch.Tensor], mask: torch.Tensor) -> torch.Tensor:
        residuals = [
            masked_batch_norm(norm, point(output), mask)
            for norm, point, output in zip(self.norms, self.points, outputs, strict=True)
        ]
        residual, hidden = torch.stack(residuals).sum(0), outputs[-1]
        for layer in self.layers[:-1]:
            hidden = layer(hidden, mask)
        return self.layers[-1](hidden, mask, residual)


def masked_batch_norm(norm: nn.Module, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return (batch, channels, frames) normalized over frames of speech, with zeros in padding."""
    frames = hidden.transpose(1, 2)
    normalized = torch.zeros_like(frames)
    normalized[mask] = norm(frames[mask])
    return normalized.transpose(1, 2)
