"""Conformer (Gulati et al., arXiv 2005.08100) with CTC and an attention decoder.

The encoder is that of transformers (`ParakeetEncoder`), which masks its convolutions; torchaudio's
does not, so that there a clip hears what lies beside it in the batch. Batch norm in the convolution
module is replaced by layer norm (as WeNet offers), for the same reason. The decoder is PyTorch's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from transformers import ParakeetEncoder, ParakeetEncoderConfig

from ._deepspeech2_model import masked, positions

SUBSAMPLING = 4
IGNORED = -100
SMOOTHING = 0.1
"""Of the labels of the decoder, as in ESPnet."""


class ConformerModel(nn.Module):
    """(batch, frames, size) and lengths -> log-probabilities (batch, frames / 4, tokens)."""

    def __init__(
        self,
        size: int,
        tokens: int,
        *,
        layers: int,
        decoder_layers: int,
        width: int,
        heads: int,
        inner: int,
        kernel: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.encoder = ParakeetEncoder(
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
        for layer in self.encoder.layers:
            layer.conv.norm = ChannelNorm(width)
        self.out = nn.Linear(width, tokens)
        self.end = tokens
        """Begins and ends a text for the decoder; CTC does not know it."""
        self.embed = nn.Embedding(tokens + 1, width)
        block = nn.TransformerDecoderLayer(
            width, heads, inner, dropout, batch_first=True, norm_first=True
        )
        self.decoder = nn.TransformerDecoder(block, decoder_layers, nn.LayerNorm(width))
        self.say = nn.Linear(width, tokens + 1)

    def forward(
        self, features: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        encoded, lengths = self.encode(features, lengths)
        return self.out(encoded).log_softmax(-1), lengths

    def encode(
        self, features: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch, frames / 4, width), and lengths."""
        mask = masked(lengths, features.shape[1])
        found = self.encoder(features, attention_mask=mask)
        return found.last_hidden_state, found.attention_mask.sum(-1)

    def decoder_loss(
        self, encoded: torch.Tensor, lengths: torch.Tensor, texts: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """Sum of the cross entropies of all tokens and ends, labels smoothed."""
        logits, labels = self._decoded(encoded, lengths, texts)
        return nn.functional.cross_entropy(
            logits.flatten(0, 1),
            labels.flatten(),
            ignore_index=IGNORED,
            reduction="sum",
            label_smoothing=SMOOTHING,
        )

    def likelihoods(
        self, encoded: torch.Tensor, lengths: torch.Tensor, texts: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """How likely the decoder finds each text, (batch,), natural logarithms."""
        logits, labels = self._decoded(encoded, lengths, texts)
        said = logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
        return (said * (labels != IGNORED)).sum(-1)

    def _decoded(
        self, encoded: torch.Tensor, lengths: torch.Tensor, texts: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (batch, tokens + 1, vocabulary), and the labels they should have."""
        end = torch.tensor([self.end], device=encoded.device)
        given = pad_sequence([torch.cat([end, text]) for text in texts], batch_first=True)
        labels = pad_sequence(
            [torch.cat([text, end]) for text in texts], batch_first=True, padding_value=IGNORED
        )
        count = given.shape[1]
        hidden = self.embed(given) + positions(count, encoded.shape[-1]).to(encoded)
        made = self.decoder(
            hidden,
            encoded,
            tgt_mask=nn.Transformer.generate_square_subsequent_mask(
                count, device=encoded.device, dtype=encoded.dtype
            ),
            memory_key_padding_mask=torch.zeros(
                encoded.shape[:2], device=encoded.device, dtype=encoded.dtype
            ).masked_fill(~masked(lengths, encoded.shape[1]), -torch.inf),
            tgt_is_causal=True,
        )
        return self.say(made), labels


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (batch, channels, frames)."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return super().forward(hidden.transpose(1, 2)).transpose(1, 2)
