"""Attention decoders of joint models: they score a text by the hidden states of the encoder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from .deepspeech2_model import sinusoidal_positions, speech_mask
from .joint_model import Decoder

IGNORED = -100
"""Label of padding; it is PyTorch's default for positions without a loss."""
LABEL_SMOOTHING = 0.1
"""Share of the probability that is spread over all tokens, as in ESPnet."""


class AttentionDecoder(Decoder):
    """Decoder that predicts every token from those before it and attention to the encoder.

    Its vocabulary has one token more than that of CTC: the last marks both the start and the end
    of a text.
    """

    def __init__(self, vocabulary_size: int, width: int) -> None:
        super().__init__()
        self.end = vocabulary_size  # the first number that CTC does not use
        self.embed = nn.Embedding(vocabulary_size + 1, width)
        self.say = nn.Linear(width, vocabulary_size + 1)

    @abstractmethod
    def decode_states(
        self, embedded: torch.Tensor, encoded: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Return the states from which the next tokens are predicted, (batch, tokens, width).

        Args:
            embedded: the tokens before, (batch, tokens, width).
            encoded: hidden states of the encoder, (batch, frames, width).
            mask: True for frames of speech, (batch, frames).
        """

    def loss(
        self, encoded: torch.Tensor, lengths: torch.Tensor, texts: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """Return the sum of the cross entropies of all tokens and ends, with label smoothing."""
        logits, labels = self._predict(encoded, lengths, texts)
        return nn.functional.cross_entropy(
            logits.flatten(0, 1),
            labels.flatten(),
            ignore_index=IGNORED,
            reduction="sum",
            label_smoothing=LABEL_SMOOTHING,
        )

    def score_texts(
        self, encoded: torch.Tensor, lengths: torch.Tensor, texts: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        logits, labels = self._predict(encoded, lengths, texts)
        # `gather` needs valid tokens everywhere; what it picks in the padding is dropped below.
        logprobs = logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
        return (logprobs * (labels != IGNORED)).sum(-1)

    def _predict(
        self, encoded: torch.Tensor, lengths: torch.Tensor, texts: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (batch, tokens + 1, vocabulary + 1), and labels (batch, tokens + 1)."""
        # Inputs are shifted by one against labels: every token is predicted from those before it.
        end = torch.tensor([self.end], device=encoded.device)
        inputs = pad_sequence([torch.cat([end, text]) for text in texts], batch_first=True)
        labels = pad_sequence(
            [torch.cat([text, end]) for text in texts], batch_first=True, padding_value=IGNORED
        )
        mask = speech_mask(lengths, encoded.shape[1])
        return self.say(self.decode_states(self.embed(inputs), encoded, mask)), labels


class TransformerDecoder(AttentionDecoder):
    """PyTorch's Transformer decoder with sinusoidal positions."""

    def __init__(
        self,
        vocabulary_size: int,
        *,
        layers: int,
        width: int,
        heads: int,
        inner: int,
        dropout: float,
    ) -> None:
        super().__init__(vocabulary_size, width)
        layer = nn.TransformerDecoderLayer(
            width, heads, inner, dropout, batch_first=True, norm_first=True
        )
        self.whole = nn.TransformerDecoder(layer, layers, nn.LayerNorm(width))

    def decode_states(
        self, embedded: torch.Tensor, encoded: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        count = embedded.shape[1]
        # Both masks are numbers to add, 0 or -inf, of one dtype: PyTorch deprecates mixing them
        # with boolean masks.
        return self.whole(
            embedded + sinusoidal_positions(count, embedded.shape[-1]).to(embedded),
            encoded,
            tgt_mask=nn.Transformer.generate_square_subsequent_mask(
                count, device=embedded.device, dtype=embedded.dtype
            ),
            memory_key_padding_mask=torch.zeros_like(mask, dtype=embedded.dtype).masked_fill(
                ~mask, -torch.inf
            ),
            tgt_is_causal=True,
        )


class Speller(AttentionDecoder):
    """Speller of Listen, Attend and Spell: LSTMs, then attention to the encoder.

    Attention does not feed the next step (Luong et al., arXiv 1508.04025), so that all steps of a
    known text are computed at once.
    """

    def __init__(
        self, vocabulary_size: int, *, layers: int, width: int, heads: int, dropout: float
    ) -> None:
        super().__init__(vocabulary_size, width)
        self.rnn = nn.LSTM(
            width, width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0
        )
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.both = nn.Sequential(nn.Linear(2 * width, width), nn.Tanh())

    def decode_states(
        self, embedded: torch.Tensor, encoded: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        query, _ = self.rnn(embedded)
        attended, _ = self.attention(
            query, encoded, encoded, key_padding_mask=~mask, need_weights=False
        )
        return self.both(torch.cat([attended, query], dim=-1))
