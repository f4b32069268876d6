"""Encoders of joint models: (batch, frames, size) -> (batch, frames / 4, width).

No layer sees the padding of a batch. Conformer is that of transformers (`ParakeetEncoder`), which
masks its convolutions; torchaudio's does not, nor do the convolutions of Speech2Text, so that there
a transcript depends on the other clips of the batch. The Transformer's layers are PyTorch's, behind
the masked convolutions of Parakeet.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from transformers import ParakeetEncoder, ParakeetEncoderConfig
from transformers.models.parakeet.modeling_parakeet import ParakeetEncoderSubsamplingConv2D

from .deepspeech2_model import (
    CHANNELS,
    MaskedConvolution,
    sinusoidal_positions,
    speech_mask,
    subsampled_size,
)
from .joint_model import Encoder

SUBSAMPLING = 4
"""Frames of 10 ms for each output of an encoder."""


class ConformerEncoder(Encoder):
    """Conformer (Gulati et al., arXiv 2005.08100).

    Batch norm in the convolution module is replaced by layer norm (as WeNet offers), since batch
    norm would count the padding of a batch.
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
                layerdrop=0.0,  # Conformer trains all layers in each step; Parakeet drops a tenth
            )
        )
        # Afterwards: the configuration has no option for it.
        for layer in self.whole.layers:
            layer.conv.norm = ChannelNorm(width)

    def forward(
        self, features: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        # The mask that comes back is already subsampled: its sums are the lengths of the output.
        encoded = self.whole(features, attention_mask=speech_mask(lengths, features.shape[1]))
        return encoded.last_hidden_state, encoded.attention_mask.sum(-1)


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
        layer = nn.TransformerEncoderLayer(
            width, heads, inner, dropout, batch_first=True, norm_first=True
        )
        # Nested tensors exist for layers with the norm behind them only.
        self.layers = nn.TransformerEncoder(
            layer, layers, nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, features: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = self.subsample(features, speech_mask(lengths, features.shape[1]))
        lengths = (lengths + 3) // SUBSAMPLING  # two convolutions of stride 2, both rounding up
        hidden = self.dropout(hidden + sinusoidal_positions(*hidden.shape[1:]).to(hidden))
        mask = speech_mask(lengths, hidden.shape[1])
        return self.layers(hidden, src_key_padding_mask=~mask), lengths


class ListenerEncoder(Encoder):
    """Listener of Listen, Attend and Spell (Chan et al., arXiv 1508.01211), as KoSpeech builds it.

    Convolutions subsample the frames instead of the paper's pyramid; then LSTMs in both directions.
    """

    def __init__(self, size: int, *, layers: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.first = MaskedConvolution(1, (41, 11), (2, 2))
        self.second = MaskedConvolution(CHANNELS, (21, 11), (2, 2))
        self.rnn = nn.LSTM(
            CHANNELS * subsampled_size(size),
            hidden,
            layers,
            batch_first=True,
            bidirectional=True,
            dropout=dropout if layers > 1 else 0.0,  # PyTorch warns: there is nothing between
        )

    def forward(
        self, features: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = features.transpose(1, 2)[:, None]  # (batch, 1, size, frames)
        hidden, lengths = self.first(hidden, lengths)
        hidden, lengths = self.second(hidden, lengths)
        hidden = hidden.flatten(1, 2).transpose(1, 2)  # (batch, frames, channels x size)
        # Packed, so that the backward direction starts at the end of the clip, not in the padding.
        packed = pack_padded_sequence(hidden, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(
            self.rnn(packed)[0], batch_first=True, total_length=hidden.shape[1]
        )
        return states, lengths


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (batch, channels, frames)."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return super().forward(hidden.transpose(1, 2)).transpose(1, 2)
