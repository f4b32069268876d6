"""Encoders of recognizers from nothing: (batch, frames, size) -> (batch, frames / 4, width).

What lies behind a clip in a batch is silence to every layer. Conformer is that of transformers
(`ParakeetEncoder`), which masks its convolutions; torchaudio's does not, nor do the convolutions of
Speech2Text, so that there a clip hears what lies beside it. The Transformer's layers are PyTorch's,
behind the masked convolutions of the former.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from transformers import ParakeetEncoder, ParakeetEncoderConfig
from transformers.models.parakeet.modeling_parakeet import ParakeetEncoderSubsamplingConv2D

from .ctc_attention import Encoder
from .deepspeech2_model import CHANNELS, MaskedConvolution, masked, positions, quarter

SUBSAMPLING = 4


class ConformerEncoder(Encoder):
    """Conformer (Gulati et al., arXiv 2005.08100).

    Batch norm in the convolution module is replaced by layer norm (as WeNet offers): it would count
    what lies beside a clip in a batch.
    """

    def __init__(
        self,
        size: int,
        *,
        layers: int,
        width: int,
        heads: int,
        inner: int,
        kernel: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.whole = ParakeetEncoder(
            ParakeetEncoderConfig(
                hidden_size=width,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                intermediate_size=inner,
                conv_kernel_size=kernel,
                subsampling_factor=SUBSAMPLING,
                subsampling_conv_channels=width,
                num_mel_bins=size,
                dropout=dropout,
                activation_dropout=dropout,
                attention_dropout=dropout,
                layerdrop=0.0,
            )
        )
        for layer in self.whole.layers:
            layer.conv.norm = ChannelNorm(width)

    def forward(
        self, features: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.whole(features, attention_mask=masked(lengths, features.shape[1]))
        return found.last_hidden_state, found.attention_mask.sum(-1)


class TransformerEncoder(Encoder):
    """Speech-Transformer (Dong et al., ICASSP 2018): convolutions, then self-attention."""

    def __init__(
        self, size: int, *, layers: int, width: int, heads: int, inner: int, dropout: float
    ) -> None:
        super().__init__()
        self.subsample = ParakeetEncoderSubsamplingConv2D(
            ParakeetEncoderConfig(
                hidden_size=width,
                num_attention_heads=heads,
                subsampling_factor=SUBSAMPLING,
                subsampling_conv_channels=width,
                num_mel_bins=size,
            )
        )
        block = nn.TransformerEncoderLayer(
            width, heads, inner, dropout, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(
            block, layers, nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, features: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = self.subsample(features, masked(lengths, features.shape[1]))
        lengths = (lengths + 3) // SUBSAMPLING
        hidden = self.dropout(hidden + positions(*hidden.shape[1:]).to(hidden))
        return self.layers(hidden, src_key_padding_mask=~masked(lengths, hidden.shape[1])), lengths


class Listener(Encoder):
    """Of Listen, Attend and Spell (Chan et al., arXiv 1508.01211), as KoSpeech builds it.

    Convolutions make the frames fewer, not the paper's pyramid; then LSTMs in both directions.
    """

    def __init__(self, size: int, *, layers: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.first = MaskedConvolution(1, (41, 11), (2, 2))
        self.second = MaskedConvolution(CHANNELS, (21, 11), (2, 2))
        self.rnn = nn.LSTM(
            CHANNELS * quarter(size),
            hidden,
            layers,
            batch_first=True,
            bidirectional=True,
            dropout=dropout if layers > 1 else 0.0,
        )

    def forward(
        self, features: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = features.transpose(1, 2)[:, None]  # (batch, 1, size, frames)
        hidden, lengths = self.first(hidden, lengths)
        hidden, lengths = self.second(hidden, lengths)
        hidden = hidden.flatten(1, 2).transpose(1, 2)  # (batch, frames, channels x size)
        packed = pack_padded_sequence(hidden, lengths.cpu(), batch_first=True, enforce_sorted=False)
        made, _ = pad_packed_sequence(
            self.rnn(packed)[0], batch_first=True, total_length=hidden.shape[1]
        )
        return made, lengths


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (batch, channels, frames)."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return super().forward(hidden.transpose(1, 2)).transpose(1, 2)
