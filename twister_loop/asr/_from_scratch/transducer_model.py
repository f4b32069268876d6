"""The decoder of a recurrent transducer (Graves, arXiv 1211.3711).

Prediction and joint network are those of transformers' Parakeet; the loss is ours: torchaudio has
one in its compiled library alone, which a build for CUDA does not load beside a torch without.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from transformers import ParakeetRNNTConfig
from transformers.models.parakeet.modeling_parakeet import (
    ParakeetRNNTDecoder,
    ParakeetRNNTJointNetwork,
)

from .ctc import Reading
from .ctc_attention import Decoder
from .tokenizer import BLANK

AT_MOST = 10
"""Tokens in one frame, when it hears."""


class TransducerDecoder(Decoder):
    """For every frame and every beginning of a text: how likely each next token is, or a blank."""

    def __init__(self, tokens: int, *, encoded: int, layers: int, width: int) -> None:
        super().__init__()
        config = ParakeetRNNTConfig(
            vocab_size=tokens,
            blank_token_id=BLANK,
            decoder_hidden_size=width,
            num_decoder_layers=layers,
            encoder_config={},
        )
        self.project = nn.Linear(encoded, width)
        self.predict = ParakeetRNNTDecoder(config)
        self.join = ParakeetRNNTJointNetwork(config)

    def loss(
        self, encoded: torch.Tensor, lengths: torch.Tensor, texts: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        return -self.likelihoods(encoded, lengths, texts).sum()

    def likelihoods(
        self, encoded: torch.Tensor, lengths: torch.Tensor, texts: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        start = torch.tensor([BLANK], device=encoded.device)
        given = pad_sequence([torch.cat([start, text]) for text in texts], batch_first=True)
        joined = self.join(
            encoder_hidden_states=self.project(encoded)[:, :, None],
            decoder_hidden_states=self.predict(given)[:, None],
        )  # (batch, frames, tokens + 1, vocabulary)
        return likelihoods(joined.log_softmax(-1), lengths, texts)

    def read(self, encoded: torch.Tensor) -> Reading:
        """The likeliest step each time, for one clip, (frames, width)."""
        tokens: list[int] = []
        logprob = 0.0
        state, said = self._step(BLANK, None, encoded.device)
        for frame in self.project(encoded):
            for _ in range(AT_MOST):
                likely = self.join(
                    encoder_hidden_states=frame, decoder_hidden_states=said
                ).log_softmax(-1)
                token = int(likely.argmax())
                logprob += float(likely[token])
                if token == BLANK:
                    break
                tokens.append(token)
                state, said = self._step(token, state, encoded.device)
        return Reading(tokens, logprob)

    def _step(
        self, token: int, state: tuple[torch.Tensor, torch.Tensor] | None, device: torch.device
    ) -> tuple[tuple[torch.Tensor, torch.Tensor], torch.Tensor]:
        """State and output, (width,), after one more token."""
        given = self.predict.embedding(torch.tensor([[token]], device=device))
        made, after = self.predict.lstm(given, state)
        return after, self.predict.decoder_projector(made)[0, 0]


def likelihoods(
    logprobs: torch.Tensor, lengths: torch.Tensor, texts: Sequence[torch.Tensor]
) -> torch.Tensor:
    """How likely the texts are, all their paths added up; (batch,), natural logarithms.

    `logprobs`, (batch, frames, tokens + 1, vocabulary), are those of the joint network. The forward
    variables of a frame follow at once from those of the frame before: with c[u] the sum of the
    first u tokens there, a[t, u] = c[u] + log sum over k <= u of exp(a[t-1, k] + blank[k] - c[k]).
    """
    wide = logprobs.double()  # the sums are taken away again
    batch, frames, _, _ = wide.shape
    blank = wide[..., BLANK]  # (batch, frames, tokens + 1)
    labels = pad_sequence(list(texts), batch_first=True)  # (batch, tokens)
    index = labels[:, None, :, None].expand(-1, frames, -1, 1)
    said = wide[:, :, :-1].gather(-1, index)[..., 0].cumsum(-1)
    said = torch.nn.functional.pad(said, (1, 0))  # (batch, frames, tokens + 1)
    forward = said[:, 0]
    ways = [forward]
    for frame in range(1, frames):
        came = forward + blank[:, frame - 1] - said[:, frame]
        forward = said[:, frame] + came.logcumsumexp(-1)
        ways.append(forward)
    ends = (torch.stack(ways, dim=1) + blank)[torch.arange(batch), lengths - 1]
    counts = torch.tensor([len(text) for text in texts], device=ends.device)
    return ends.gather(-1, counts[:, None])[:, 0].to(logprobs.dtype)
