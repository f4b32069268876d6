"""Joint models: an encoder with CTC, and a decoder that scores texts.

The two are trained together (Watanabe et al., IEEE JSTSP 11(8), 2017). CTC also aligns. Greedy
decoding uses CTC alone; with beam search the decoder rescores the hypotheses of CTC.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from ...core.ranges import Range
from . import ctc
from .recognizer import ScratchRecognizer

if TYPE_CHECKING:
    import torch
    from torch import nn

    from .joint_model import JointModel


@dataclass(frozen=True)
class JointRecognizer(ScratchRecognizer):
    """Recognizer with an encoder, CTC and a decoder."""

    ctc_weight: Annotated[float, Range(above=0, high=1)] = 0.3
    """Weight of CTC in the loss and in the scores of beam search, above 0 and at most 1; the
    decoder has the rest."""
    dropout: Annotated[float, Range(0, below=1)] = 0.1

    @abstractmethod
    def build_network(self, vocabulary_size: int) -> JointModel: ...

    def compute_loss(
        self,
        network: nn.Module,
        features: torch.Tensor,
        lengths: torch.Tensor,
        texts: Sequence[torch.Tensor],
    ) -> torch.Tensor:
        from .ctc_network import ctc_loss
        from .joint_model import JointModel

        assert isinstance(network, JointModel)
        # The encoder is computed once for both losses, so both train it.
        encoded, frames = network.encoder(features, lengths)
        of_ctc = ctc_loss(network.ctc_logprobs(encoded), frames, texts)
        of_decoder = network.decoder.loss(encoded, frames, texts)
        return self.ctc_weight * of_ctc + (1 - self.ctc_weight) * of_decoder

    def transcribe_batch(
        self, network: nn.Module, features: torch.Tensor, lengths: torch.Tensor
    ) -> list[ctc.Hypothesis]:
        from .ctc_network import unpad_logprobs
        from .joint_model import JointModel

        assert isinstance(network, JointModel)
        if self.decode == "greedy":
            return super().transcribe_batch(network, features, lengths)
        encoded, frames = network.encoder(features, lengths)
        # One clip at a time: the hypotheses of one clip are a batch of their own for the decoder.
        clips = unpad_logprobs(network.ctc_logprobs(encoded), frames)
        return [
            self._rescore(network, states[: len(logprobs)], self.decode_logprobs(logprobs))
            for states, logprobs in zip(encoded, clips, strict=True)
        ]

    def decoding_description(self) -> str:
        return "greedy CTC" if self.decode == "greedy" else f"CTC beam of {self.beam}, rescored"

    def _rescore(
        self, network: JointModel, encoded: torch.Tensor, hypotheses: Sequence[ctc.Hypothesis]
    ) -> ctc.Hypothesis:
        """Return the hypothesis with the best weighted score, for one clip, (frames, width)."""
        import torch

        from .loaded_model import device

        texts = [
            torch.tensor(hypothesis.tokens, dtype=torch.long, device=device())
            for hypothesis in hypotheses
        ]
        # The same encoder output for all hypotheses; `expand` copies nothing.
        repeated = encoded.expand(len(texts), -1, -1)
        lengths = torch.full((len(texts),), len(encoded), device=device())
        decoder_logprobs = network.decoder.score_texts(repeated, lengths, texts).tolist()
        # The weight of the losses serves for the scores too, so there is one option less to tune.
        weight = self.ctc_weight
        rescored = [
            ctc.Hypothesis(
                hypothesis.tokens, weight * hypothesis.logprob + (1 - weight) * decoder_logprob
            )
            for hypothesis, decoder_logprob in zip(hypotheses, decoder_logprobs, strict=True)
        ]
        return max(rescored, key=lambda hypothesis: hypothesis.logprob)
