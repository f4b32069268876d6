"""Decoders of recognizers from nothing: what judges a text by what was encoded."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from .ctc_attention import Decoder
from .deepspeech2_model import masked, positions

IGNORED = -100
SMOOTHING = 0.1
"""Of the labels, as in ESPnet."""


class AttentionDecoder(Decoder):
    """Says a text token by token, each by attention to what was encoded.

    The last token of its vocabulary begins and ends a text; CTC does not know it.
    """

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.end = tokens
        self.embed = nn.Embedding(tokens + 1, width)
        self.say = nn.Linear(width, tokens + 1)

    @abstractmethod
    def hidden(
        self, given: torch.Tensor, encoded: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """For given tokens, (batch, tokens, width), what the next is read from, shaped alike.

        `mask`, (batch, frames), is True where there is speech.
        """

    def loss(
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
        mask = masked(lengths, encoded.shape[1])
        return self.say(self.hidden(self.embed(given), encoded, mask)), labels


class TransformerDecoder(AttentionDecoder):
    """PyTorch's, with sinusoids for positions."""

    def __init__(
        self, tokens: int, *, layers: int, width: int, heads: int, inner: int, dropout: float
    ) -> None:
        super().__init__(tokens, width)
        block = nn.TransformerDecoderLayer(
            width, heads, inner, dropout, batch_first=True, norm_first=True
        )
        self.whole = nn.TransformerDecoder(block, layers, nn.LayerNorm(width))

    def hidden(
        self, given: torch.Tensor, encoded: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        count = given.shape[1]
        return self.whole(
            given + positions(count, given.shape[-1]).to(given),
            encoded,
            tgt_mask=nn.Transformer.generate_square_subsequent_mask(
                count, device=given.device, dtype=given.dtype
            ),
            memory_key_padding_mask=torch.zeros_like(mask, dtype=given.dtype).masked_fill(
                ~mask, -torch.inf
            ),
            tgt_is_causal=True,
        )


class Speller(AttentionDecoder):
    """Of Listen, Attend and Spell: LSTMs, then attention to what was listened to.

    Attention does not feed the next step (Luong et al., arXiv 1508.04025), so that all steps of a
    known text are made at once.
    """

    def __init__(self, tokens: int, *, layers: int, width: int, heads: int, dropout: float) -> None:
        super().__init__(tokens, width)
        self.rnn = nn.LSTM(
            width, width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0
        )
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.both = nn.Sequential(nn.Linear(2 * width, width), nn.Tanh())

    def hidden(
        self, given: torch.Tensor, encoded: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        asked, _ = self.rnn(given)
        heard, _ = self.attention(
            asked, encoded, encoded, key_padding_mask=~mask, need_weights=False
        )
        return self.both(torch.cat([heard, asked], dim=-1))
