"""Speech-Transformer, from nothing: CTC and an attention decoder together (ICASSP 2018).

The sizes are KoSpeech's: 12 layers in the encoder, 6 in the decoder, 512 wide, 2048 inside, 8
heads, CTC weight 0.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ._from_scratch.attention_decoders import TransformerDecoder
from ._from_scratch.ctc_attention import JointModel, JointRecognizer
from ._from_scratch.encoders import TransformerEncoder
from ._from_scratch.features import size_of


@dataclass(frozen=True)
class Transformer(JointRecognizer):
    shape: ClassVar = ("layers", "decoder_layers", "width", "heads", "inner")
    layers: int = 12
    decoder_layers: int = 6
    width: int = 512
    heads: int = 8
    inner: int = 2048
    """Width inside the feed-forward layers."""

    def network(self, tokens: int) -> JointModel:
        encoder = TransformerEncoder(
            size_of(self.features, self.mels),
            layers=self.layers,
            width=self.width,
            heads=self.heads,
            inner=self.inner,
            dropout=self.dropout,
        )
        decoder = TransformerDecoder(
            tokens,
            layers=self.decoder_layers,
            width=self.width,
            heads=self.heads,
            inner=self.inner,
            dropout=self.dropout,
        )
        return JointModel(encoder, decoder, self.width, tokens)
