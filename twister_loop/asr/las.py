"""Listen, Attend and Spell, from nothing, with CTC beside it (arXiv 1508.01211).

The sizes are KoSpeech's: 3 layers that listen, 2 that spell, 512 wide, 4 heads, CTC weight 0.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ._from_scratch.attention_decoders import Speller
from ._from_scratch.ctc_attention import JointModel, JointRecognizer
from ._from_scratch.encoders import Listener
from ._from_scratch.features import size_of


@dataclass(frozen=True)
class ListenAttendSpell(JointRecognizer):
    shape: ClassVar = ("layers", "decoder_layers", "hidden", "heads")
    layers: int = 3
    decoder_layers: int = 2
    hidden: int = 512
    """Of each direction of what listens."""
    heads: int = 4
    dropout: float = 0.3

    def network(self, tokens: int) -> JointModel:
        size = size_of(self.features, self.mels)
        encoder = Listener(size, layers=self.layers, hidden=self.hidden, dropout=self.dropout)
        width = 2 * self.hidden
        decoder = Speller(
            tokens,
            layers=self.decoder_layers,
            width=width,
            heads=self.heads,
            dropout=self.dropout,
        )
        return JointModel(encoder, decoder, width, tokens)
