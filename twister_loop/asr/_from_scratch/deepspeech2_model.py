"""Network of Deep Speech 2 (Amodei et al., arXiv 1512.02595), as KoSpeech builds it.

No layer sees the padding of a batch: convolutions are masked, batch norms count frames of speech
only, and recurrent layers end where the clip ends. So a transcript does not depend on the other
clips of the batch.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .feature_kinds import Cell

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
CHANNELS = 32
"""Channels of both convolutions, as in the paper."""


class DeepSpeech2Model(nn.Module):
    """Convolutions, recurrent layers and CTC.

    (batch, frames, size) and lengths -> log-probabilities (batch, frames / 2, vocabulary).
    """

    def __init__(
        self,
        size: int,
        vocabulary_size: int,
        *,
        hidden: int,
        layers: int,
        cell: Cell,
        attention: bool,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        # The names of layers are those in trained weights: renaming one makes them unreadable.
        # Kernel and stride, frequency first.
        self.first = MaskedConvolution(1, (41, 11), (2, 2))
        self.second = MaskedConvolution(CHANNELS, (21, 11), (2, 1))
        width = CHANNELS * subsampled_size(size)
        widths = [width] + [2 * hidden] * (layers - 1)
        self.layers = nn.ModuleList(
            RecurrentLayer(input_width, hidden, cell) for input_width in widths
        )
        self.attend = nn.ModuleList(
            SelfAttention(2 * hidden, heads, dropout) for _ in range(layers if attention else 0)
        )
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Sequential(nn.LayerNorm(2 * hidden), nn.Linear(2 * hidden, vocabulary_size))

    def forward(
        self, features: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = features.transpose(1, 2)[:, None]  # (batch, 1, size, frames)
        hidden, lengths = self.first(hidden, lengths)
        hidden, lengths = self.second(hidden, lengths)
        hidden = hidden.flatten(1, 2).transpose(1, 2)  # (batch, frames, width)
        for index, layer in enumerate(self.layers):
            hidden = self.dropout(layer(hidden, lengths))
            if self.attend:
                hidden = self.attend[index](hidden, lengths)
        return self.out(hidden).log_softmax(-1), lengths


class MaskedConvolution(nn.Module):
    """Convolution, batch norm over frames of speech, Hardtanh from 0 to 20, zeros in padding."""

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
        mask = speech_mask(lengths, hidden.shape[-1])
        # Only frames of speech reach the norm; the padding stays zero.
        speech = hidden.permute(0, 3, 1, 2)[mask]  # (frames of speech, channels, size)
        padded = hidden.new_zeros(hidden.permute(0, 3, 1, 2).shape)
        padded[mask] = nn.functional.hardtanh(self.norm(speech), 0.0, 20.0)
        return padded.permute(0, 2, 3, 1), lengths


class RecurrentLayer(nn.Module):
    """Batch norm over frames of speech, ReLU, then a recurrent layer in both directions."""

    def __init__(self, width: int, hidden: int, cell: Cell) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width)
        self.rnn = CELLS[cell](width, hidden, batch_first=True, bidirectional=True)

    def forward(self, hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        mask = speech_mask(lengths, hidden.shape[1])
        normalized = hidden.new_zeros(hidden.shape)
        normalized[mask] = self.norm(hidden[mask]).relu()
        # Packed, so that the backward direction starts at the end of the clip, not in the padding.
        packed = pack_padded_sequence(
            normalized, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(
            self.rnn(packed)[0], batch_first=True, total_length=hidden.shape[1]
        )
        return states


class SelfAttention(nn.Module):
    """Self-attention over all frames, with sinusoidal positions and a residual connection."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)

    def forward(self, hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        mask = speech_mask(lengths, hidden.shape[1])
        positions = sinusoidal_positions(hidden.shape[1], hidden.shape[2]).to(hidden)
        query = self.norm(hidden) + positions
        attended, _ = self.attention(
            query, query, query, key_padding_mask=~mask, need_weights=False
        )
        return (hidden + attended) * mask[..., None]


def subsampled_size(size: int) -> int:
    """Return the size of a dimension after two convolutions of stride 2.

    >>> subsampled_size(161)
    41
    """
    return math.ceil(math.ceil(size / 2) / 2)


def speech_mask(lengths: torch.Tensor, longest: int) -> torch.Tensor:
    """Return True for frames of speech and False for padding, (batch, frames)."""
    return torch.arange(longest, device=lengths.device) < lengths[:, None]


def sinusoidal_positions(length: int, width: int) -> torch.Tensor:
    """Return sinusoidal positions (Vaswani et al., 2017), (length, width)."""
    positions = torch.arange(length)[:, None]
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    table = torch.zeros(length, width)
    table[:, 0::2] = torch.sin(positions * rates)
    table[:, 1::2] = torch.cos(positions * rates)[:, : width // 2]  # one less if width is odd
    return table
