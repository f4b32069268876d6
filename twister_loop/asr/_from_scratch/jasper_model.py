"""Jasper (Li et al., arXiv 1904.03288): blocks of convolutions over time with residuals, and CTC.

Batch norm counts frames of speech only, and what lies behind a clip is silence to every layer.
"""

from __future__ import annotations

import torch
from torch import nn

from .deepspeech2_model import masked

WIDTHS = (256, 384, 512, 640, 768)
"""Channels of the five kinds of block."""
KERNELS = (11, 13, 17, 21, 25)
DROPOUTS = (0.2, 0.2, 0.2, 0.3, 0.3)
LAST = ((896, 29, 2), (1024, 1, 1))
"""Channels, kernel and dilation of the layers behind the blocks, whose dropout is 0.4."""


class JasperModel(nn.Module):
    """(batch, frames, size) and lengths -> log-probabilities (batch, frames / 2, tokens)."""

    def __init__(
        self, size: int, tokens: int, *, blocks: int, repeat: int, scale: float, dropout: float
    ) -> None:
        super().__init__()
        widths = [max(1, round(scale * each)) for each in (*WIDTHS, *(last[0] for last in LAST))]
        self.first = Layer(size, widths[0], KERNELS[0], stride=2, dropout=dropout * DROPOUTS[0])
        self.blocks = nn.ModuleList()
        came = [widths[0]]
        for number in range(blocks):
            kind = number * len(WIDTHS) // blocks
            self.blocks.append(
                Block(came, widths[kind], KERNELS[kind], repeat, dropout * DROPOUTS[kind])
            )
            came.append(widths[kind])
        wide, narrow = widths[len(WIDTHS) :]
        (_, kernel, dilation), (_, point, _) = LAST
        self.wide = Layer(came[-1], wide, kernel, dilation=dilation, dropout=dropout * 0.4)
        self.narrow = Layer(wide, narrow, point, dropout=dropout * 0.4)
        self.out = nn.Linear(narrow, tokens)

    def forward(
        self, features: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        lengths = (lengths + 1) // 2
        mask = masked(lengths, (features.shape[1] + 1) // 2)
        hidden = self.first(features.transpose(1, 2), mask)  # (batch, channels, frames)
        heard = [hidden]
        for block in self.blocks:
            hidden = block(heard, mask)
            heard.append(hidden)
        hidden = self.narrow(self.wide(hidden, mask), mask)
        return self.out(hidden.transpose(1, 2)).log_softmax(-1), lengths


class Layer(nn.Module):
    """Convolution, batch norm over frames of speech, ReLU after what is added, dropout."""

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
        padding = dilation * (kernel // 2)
        self.conv = nn.Conv1d(channels, width, kernel, stride, padding, dilation, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, hidden: torch.Tensor, mask: torch.Tensor, added: torch.Tensor | None = None
    ) -> torch.Tensor:
        made = normed(self.norm, self.conv(hidden), mask)
        made = self.dropout((made if added is None else made + added).relu())
        return made * mask[:, None]


class Block(nn.Module):
    """Layers, and to the last is added what every block before has made (dense residual)."""

    def __init__(
        self, came: list[int], width: int, kernel: int, repeat: int, dropout: float
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Layer(came[-1] if number == 0 else width, width, kernel, dropout=dropout)
            for number in range(repeat)
        )
        self.points = nn.ModuleList(nn.Conv1d(each, width, 1, bias=False) for each in came)
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in came)

    def forward(self, heard: list[torch.Tensor], mask: torch.Tensor) -> torch.Tensor:
        points = zip(self.points, heard, strict=True)
        residuals = [
            normed(norm, point(each), mask)
            for norm, (point, each) in zip(self.norms, points, strict=True)
        ]
        added, hidden = torch.stack(residuals).sum(0), heard[-1]
        for layer in self.layers[:-1]:
            hidden = layer(hidden, mask)
        return self.layers[-1](hidden, mask, added)


def normed(norm: nn.Module, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(batch, channels, frames), only frames of speech counted, silence behind."""
    frames = hidden.transpose(1, 2)
    spread = torch.zeros_like(frames)
    spread[mask] = norm(frames[mask])
    return spread.transpose(1, 2)
