"""Recognizers from nothing that hear twice: an encoder with CTC, and a decoder that judges texts.

The two learn together (Watanabe et al., IEEE JSTSP 11(8), 2017), CTC also finds the words in the
audio. Greedy reads CTC alone; a beam takes the likeliest texts of CTC, and the decoder judges them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ...core.types import Share
from . import ctc
from .architecture import ctc_loss, trimmed
from .loaded_model import device
from .recognizer import ScratchRecognizer


class Encoder(nn.Module):
    """(batch, frames, size) and lengths -> (batch, fewer frames, width), and lengths."""


class Decoder(nn.Module):
    """What judges a text by what was encoded."""

    @abstractmethod
    def loss(
        self, encoded: torch.Tensor, lengths: torch.Tensor, texts: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """Sum over the batch of what is to become small, in nats."""

    @abstractmethod
    def likelihoods(
        self, encoded: torch.Tensor, lengths: torch.Tensor, texts: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """How likely it finds each text, (batch,), natural logarithms."""


class JointModel(nn.Module):
    """(batch, frames, size) and lengths -> log-probabilities of CTC (batch, frames, tokens)."""

    def __init__(self, encoder: Encoder, decoder: Decoder, width: int, tokens: int) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.out = nn.Linear(width, tokens)

    def forward(
        self, features: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        encoded, lengths = self.encoder(features, lengths)
        return self.heard(encoded), lengths

    def heard(self, encoded: torch.Tensor) -> torch.Tensor:
        return self.out(encoded).log_softmax(-1)


@dataclass(frozen=True)
class JointRecognizer(ScratchRecognizer):
    """What an encoder and a decoder have in common."""

    ctc_weight: Share = 0.3
    """The rest is the decoder's: of the loss, and of what a beam finds likely."""
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ctc_weight == 0:
            raise ValueError("ctc_weight: more than 0, or there is nothing to read and align by")

    @abstractmethod
    def network(self, tokens: int) -> JointModel: ...

    def losses(
        self,
        model: nn.Module,
        speech: torch.Tensor,
        lengths: torch.Tensor,
        texts: Sequence[torch.Tensor],
    ) -> torch.Tensor:
        assert isinstance(model, JointModel)
        encoded, frames = model.encoder(speech, lengths)
        heard = ctc_loss(model.heard(encoded), frames, texts)
        said = model.decoder.loss(encoded, frames, texts)
        return self.ctc_weight * heard + (1 - self.ctc_weight) * said

    def readings(
        self, model: nn.Module, speech: torch.Tensor, lengths: torch.Tensor
    ) -> list[ctc.Reading]:
        assert isinstance(model, JointModel)
        if self.decode == "greedy":
            return super().readings(model, speech, lengths)
        encoded, frames = model.encoder(speech, lengths)
        return [
            self._judged(model, each[: len(logprobs)], self.search(logprobs))
            for each, logprobs in zip(encoded, trimmed(model.heard(encoded), frames), strict=True)
        ]

    def decoding_description(self) -> str:
        return "greedy CTC" if self.decode == "greedy" else f"CTC beam of {self.beam}, rescored"

    def _judged(
        self, model: JointModel, encoded: torch.Tensor, texts: Sequence[ctc.Reading]
    ) -> ctc.Reading:
        """The likeliest of some texts of one clip, whose frames are (frames, width)."""
        given = [torch.tensor(each.tokens, dtype=torch.long, device=device()) for each in texts]
        alike = encoded.expand(len(texts), -1, -1)
        counts = torch.full((len(texts),), len(encoded), device=device())
        said = model.decoder.likelihoods(alike, counts, given).tolist()
        weight = self.ctc_weight
        judged = [
            ctc.Reading(each.tokens, weight * each.logprob + (1 - weight) * likely)
            for each, likely in zip(texts, said, strict=True)
        ]
        return max(judged, key=lambda each: each.logprob)
