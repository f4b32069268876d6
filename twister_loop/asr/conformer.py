"""Conformer, from nothing: CTC and an attention decoder together (arXiv 2005.08100).

The sizes are those of the Korean study that Whisper was compared with there: 12 layers in the
encoder, 8 in the decoder, 256 wide, 2048 inside, 8 heads, CTC weight 0.3 (35 epochs, the last 5
averaged).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ._from_scratch.attention_decoders import TransformerDecoder
from ._from_scratch.ctc_attention import JointModel, JointRecognizer
from ._from_scratch.encoders import ConformerEncoder
from ._from_scratch.features import size_of


@dataclass(frozen=True)
class Conformer(JointRecognizer):
    shape: ClassVar = ("layers", "decoder_layers", "width", "heads", "inner", "kernel")
    layers: int = 12
    decoder_layers: int = 8
    width: int = 256
    heads: int = 8
    inner: int = 2048
    """Width inside the feed-forward layers."""
    kernel: int = 31
    """Frames of 40 ms that a convolution sees."""

    def network(self, tokens: int) -> JointModel:
        encoder = ConformerEncoder(
            size_of(self.features, self.mels),
            layers=self.layers,
            width=self.width,
            heads=self.heads,
            inner=self.inner,
            kernel=self.kernel,
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
