"""Conformer, from nothing: CTC and an attention decoder together (arXiv 2005.08100).

The sizes are those of the Korean study that Whisper was compared with there: 12 layers in the
encoder, 8 in the decoder, 256 wide, 2048 inside, 8 heads, CTC weight 0.3 (35 epochs, the last 5
averaged).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from ..records import Share
from . import _scratch_ctc as ctc
from ._conformer_model import ConformerModel
from ._scratch import ScratchRecognizer, ctc_loss, device, trimmed
from ._scratch_features import size_of


@dataclass(frozen=True)
class Conformer(ScratchRecognizer):
    shape: ClassVar = ("layers", "decoder_layers", "width", "heads", "inner", "kernel")
    layers: int = 12
    decoder_layers: int = 8
    width: int = 256
    heads: int = 8
    inner: int = 2048
    """Width inside the feed-forward layers."""
    kernel: int = 31
    """Frames of 40 ms that a convolution sees."""
    ctc_weight: Share = 0.3
    """The rest is the decoder's: of the loss, and of what a beam finds likely."""
    dropout: float = 0.1

    def network(self, tokens: int) -> ConformerModel:
        return ConformerModel(
            size_of(self.features, self.mels),
            tokens,
            layers=self.layers,
            decoder_layers=self.decoder_layers,
            width=self.width,
            heads=self.heads,
            inner=self.inner,
            kernel=self.kernel,
            dropout=self.dropout,
        )

    def losses(
        self,
        model: torch.nn.Module,
        speech: torch.Tensor,
        lengths: torch.Tensor,
        texts: Sequence[torch.Tensor],
    ) -> torch.Tensor:
        assert isinstance(model, ConformerModel)
        encoded, frames = model.encode(speech, lengths)
        heard = ctc_loss(model.out(encoded).log_softmax(-1), frames, texts)
        said = model.decoder_loss(encoded, frames, texts)
        return self.ctc_weight * heard + (1 - self.ctc_weight) * said

    def readings(
        self, model: torch.nn.Module, speech: torch.Tensor, lengths: torch.Tensor
    ) -> list[ctc.Reading]:
        """By a beam of CTC, whose texts the decoder then judges; greedy is CTC alone."""
        assert isinstance(model, ConformerModel)
        if self.decode == "greedy":
            return super().readings(model, speech, lengths)
        encoded, frames = model.encode(speech, lengths)
        found = []
        for place, logprobs in enumerate(trimmed(model.out(encoded).log_softmax(-1), frames)):
            texts = self.search(logprobs)
            given = [torch.tensor(each.tokens, dtype=torch.long, device=device()) for each in texts]
            alike = encoded[place, : len(logprobs)].expand(len(texts), -1, -1)
            counts = frames[place].expand(len(texts))
            said = model.likelihoods(alike, counts, given).tolist()
            weight = self.ctc_weight
            judged = [
                ctc.Reading(each.tokens, weight * each.logprob + (1 - weight) * likely)
                for each, likely in zip(texts, said, strict=True)
            ]
            found.append(max(judged, key=lambda each: each.logprob))
        return found

    def decoding(self) -> str:
        return "greedy CTC" if self.decode == "greedy" else f"CTC beam of {self.beam}, rescored"
