"""Deep Speech 2 (Amodei et al., arXiv 1512.02595), as KoSpeech builds it.

What lies behind a clip in a batch is silence to every layer: convolutions are masked, norms count
frames of speech only, recurrent layers end where the clip ends.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

Cell = Literal["rnn", "gru", "lstm"]
CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
CHANNELS = 32


class DeepSpeech2Model(nn.Module):
    """(batch, frames, size) and lengths -> log-probabilities (batch, frames / 2, tokens)."""

    def __init__(
        self,
        size: int,
        tokens: int,
        *,
        hidden: int,
        layers: int,
        cell: Cell,
        attention: bool,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        # Frequency first: 41 x 11, stride 2 x 2; then 21 x 11, stride 2 x 1.
        self.first = MaskedConvolution(1, (41, 11), (2, 2))
        self.second = MaskedConvolution(CHANNELS, (21, 11), (2, 1))
        width = CHANNELS * quarter(size)
        widths = [width] + [2 * hidden] * (layers - 1)
        self.layers = nn.ModuleList(RecurrentLayer(each, hidden, cell) for each in widths)
        self.attend = nn.ModuleList(
            SelfAttention(2 * hidden, heads, dropout) for _ in range(layers if attention else 0)
        )
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Sequential(nn.LayerNorm(2 * hidden), nn.Linear(2 * hidden, tokens))

    def forward(
        self, features: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = features.transpose(1, 2)[:, None]  # (batch, 1, size, frames)
        hidden, lengths = self.first(hidden, lengths)
        hidden, lengths = self.second(hidden, lengths)
        hidden = hidden.flatten(1, 2).transpose(1, 2)  # (batch, frames, width)
        for place, layer in enumerate(self.layers):
            hidden = self.dropout(layer(hidden, lengths))
            if self.attend:
                hidden = self.attend[place](hidden, lengths)
        return self.out(hidden).log_softmax(-1), lengths


class MaskedConvolution(nn.Module):
    """Convolution, batch norm over frames of speech, Hardtanh 0..20, silence behind."""

    def __init__(self, channels: int, kernel: tuple[int, int], stride: tuple[int, int]) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.conv = nn.Conv2d(channels, CHANNELS, kernel, stride, padding, bias=False)
        self.norm = nn.BatchNorm1d(CHANNELS)
        self.stride = stride[1]

    def forward(
        self, hidden: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = self.conv(hidden)  # (batch, channels, size, frames)
        lengths = (lengths - 1) // self.stride + 1
        mask = masked(lengths, hidden.shape[-1])
        speech = hidden.permute(0, 3, 1, 2)[mask]  # (frames of speech, channels, size)
        spread = hidden.new_zeros(hidden.permute(0, 3, 1, 2).shape)
        spread[mask] = nn.functional.hardtanh(self.norm(speech), 0.0, 20.0)
        return spread.permute(0, 2, 3, 1), lengths


class RecurrentLayer(nn.Module):
    """Batch norm over frames of speech, ReLU, then both directions."""

    def __init__(self, width: int, hidden: int, cell: Cell) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width)
        self.rnn = CELLS[cell](width, hidden, batch_first=True, bidirectional=True)

    def forward(self, hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        mask = masked(lengths, hidden.shape[1])
        spread = hidden.new_zeros(hidden.shape)
        spread[mask] = self.norm(hidden[mask]).relu()
        packed = pack_padded_sequence(spread, lengths.cpu(), batch_first=True, enforce_sorted=False)
        made, _ = pad_packed_sequence(
            self.rnn(packed)[0], batch_first=True, total_length=hidden.shape[1]
        )
        return made


class SelfAttention(nn.Module):
    """Every frame looks at all others, by content and by place; added to what came in."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)

    def forward(self, hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        mask = masked(lengths, hidden.shape[1])
        placed = self.norm(hidden) + positions(hidden.shape[1], hidden.shape[2]).to(hidden)
        heard, _ = self.attention(
            placed, placed, placed, key_padding_mask=~mask, need_weights=False
        )
        return (hidden + heard) * mask[..., None]


def quarter(size: int) -> int:
    """What two convolutions of stride 2 leave of a dimension."""
    return math.ceil(math.ceil(size / 2) / 2)


def masked(lengths: torch.Tensor, longest: int) -> torch.Tensor:
    """True where there is speech, (batch, frames)."""
    return torch.arange(longest, device=lengths.device) < lengths[:, None]


def positions(length: int, width: int) -> torch.Tensor:
    """Sinusoids (Vaswani et al., 2017), (length, width)."""
    place = torch.arange(length)[:, None]
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    table = torch.zeros(length, width)
    table[:, 0::2] = torch.sin(place * rate)
    table[:, 1::2] = torch.cos(place * rate)[:, : width // 2]
    return table
