"""Decoder of a recurrent transducer (Graves, arXiv 1211.3711).

Prediction and joint network are those of transformers' Parakeet. The loss is our own: torchaudio's
exists only in its compiled library, which does not load if it was built for CUDA and torch without.
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

from .ctc import Hypothesis
from .joint_model import Decoder
from .tokenizer import BLANK

MAX_TOKENS_PER_FRAME = 10
"""Tokens after which greedy decoding goes on to the next frame, or it might never end."""

State = tuple[torch.Tensor, torch.Tensor]
"""Hidden and cell state of the prediction network's LSTM."""


class TransducerDecoder(Decoder):
    """Prediction and joint network.

    They give the probabilities of the next token, or of a blank, for every frame and every prefix
    of a text.
    """

    def __init__(self, vocabulary_size: int, *, encoded: int, layers: int, width: int) -> None:
        super().__init__()
        config = ParakeetRNNTConfig(
            vocab_size=vocabulary_size,
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
        return -self.score_texts(encoded, lengths, texts).sum()

    def score_texts(
        self, encoded: torch.Tensor, lengths: torch.Tensor, texts: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        start = torch.tensor([BLANK], device=encoded.device)
        inputs = pad_sequence([torch.cat([start, text]) for text in texts], batch_first=True)
        joined = self.join(
            encoder_hidden_states=self.project(encoded)[:, :, None],
            decoder_hidden_states=self.predict(inputs)[:, None],
        )  # (batch, frames, tokens + 1, vocabulary)
        return text_logprobs(joined.log_softmax(-1), lengths, texts)

    def decode_greedy(self, encoded: torch.Tensor) -> Hypothesis:
        """Return the text of the most likely step at each point, for one clip, (frames, width)."""
        tokens: list[int] = []
        logprob = 0.0
        state, predicted = self._predict_next(BLANK, None, encoded.device)
        for frame in self.project(encoded):
            for _ in range(MAX_TOKENS_PER_FRAME):
                logprobs = self.join(
                    encoder_hidden_states=frame, decoder_hidden_states=predicted
                ).log_softmax(-1)
                token = int(logprobs.argmax())
                logprob += float(logprobs[token])
                if token == BLANK:
                    break
                tokens.append(token)
                state, predicted = self._predict_next(token, state, encoded.device)
        return Hypothesis(tokens, logprob)

    def _predict_next(
        self, token: int, state: State | None, device: torch.device
    ) -> tuple[State, torch.Tensor]:
        """Return state and output, (width,), of the prediction network after one more token."""
        embedded = self.predict.embedding(torch.tensor([[token]], device=device))
        output, next_state = self.predict.lstm(embedded, state)
        return next_state, self.predict.decoder_projector(output)[0, 0]


def text_logprobs(
    logprobs: torch.Tensor, lengths: torch.Tensor, texts: Sequence[torch.Tensor]
) -> torch.Tensor:
    """Return the log-probability of each text, summed over all its paths, (batch,).

    Args:
        logprobs: those of the joint network, (batch, frames, tokens + 1, vocabulary).
        lengths: frames of every clip, (batch,).
        texts: tokens of every clip, each (tokens,).
    """
    # The forward variables of a frame follow at once from those of the frame before, without a
    # loop over tokens: with c[u] the sum of the log-probabilities of the first u tokens there,
    # a[t, u] = c[u] + log sum over k <= u of exp(a[t-1, k] + blank[k] - c[k]).
    # float64, because c is subtracted and added again, which would lose digits in float32.
    precise = logprobs.double()
    batch, frames, _, _ = precise.shape
    blank = precise[..., BLANK]  # (batch, frames, tokens + 1)
    labels = pad_sequence(list(texts), batch_first=True)  # (batch, tokens)
    index = labels[:, None, :, None].expand(-1, frames, -1, 1)
    prefix = precise[:, :, :-1].gather(-1, index)[..., 0].cumsum(-1)
    prefix = torch.nn.functional.pad(prefix, (1, 0))  # (batch, frames, tokens + 1)
    forward = prefix[:, 0]
    all_forward = [forward]
    for frame in range(1, frames):
        arriving = forward + blank[:, frame - 1] - prefix[:, frame]
        forward = prefix[:, frame] + arriving.logcumsumexp(-1)
        all_forward.append(forward)
    # A path ends with a blank in the clip's last frame, after all tokens.
    ends = (torch.stack(all_forward, dim=1) + blank)[torch.arange(batch), lengths - 1]
    counts = torch.tensor([len(text) for text in texts], device=ends.device)
    return ends.gather(-1, counts[:, None])[:, 0].to(logprobs.dtype)
