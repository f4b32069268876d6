"""Networks of joint models: an encoder with CTC, and a decoder that scores texts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import nn


class Encoder(nn.Module):
    """Network from features to hidden states.

    (batch, frames, size) and lengths -> (batch, fewer frames, width), and lengths.
    """


class Decoder(nn.Module):
    """Network that scores a text given the hidden states of the encoder."""

    @abstractmethod
    def loss(
        self, encoded: torch.Tensor, lengths: torch.Tensor, texts: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """Return the loss summed over the batch, in nats."""

    @abstractmethod
    def score_texts(
        self, encoded: torch.Tensor, lengths: torch.Tensor, texts: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """Return the log-probability of each text, (batch,), natural logarithms."""


class JointModel(nn.Module):
    """Encoder with CTC and a decoder.

    (batch, frames, size) and lengths -> log-probabilities of CTC (batch, frames, vocabulary).
    """

    def __init__(
        self, encoder: Encoder, decoder: Decoder, width: int, vocabulary_size: int
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.out = nn.Linear(width, vocabulary_size)

    def forward(
        self, features: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        # CTC alone: greedy decoding and alignment do not need the decoder.
        encoded, lengths = self.encoder(features, lengths)
        return self.ctc_logprobs(encoded), lengths

    def ctc_logprobs(self, encoded: torch.Tensor) -> torch.Tensor:
        """Return the log-probabilities of CTC for the hidden states of the encoder."""
        return self.out(encoded).log_softmax(-1)
