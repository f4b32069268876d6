"""Speech-Transformer, trained from scratch: CTC and an attention decoder (ICASSP 2018).

The default sizes are KoSpeech's: 12 layers in the encoder, 6 in the decoder, width 512,
feed-forward width 2048, 8 heads, CTC weight 0.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from ..core.ranges import Range
from ._from_scratch.ctc_attention import JointRecognizer
from ._from_scratch.feature_kinds import feature_size

if TYPE_CHECKING:
    from ._from_scratch.joint_model import JointModel


@dataclass(frozen=True)
class Transformer(JointRecognizer):
    """Transformer encoder, CTC and a Transformer decoder."""

    network_options: ClassVar = ("layers", "decoder_layers", "width", "heads", "inner")
    layers: Annotated[int, Range(1, 1000)] = 12
    decoder_layers: Annotated[int, Range(1, 1000)] = 6
    width: Annotated[int, Range(1, 65536)] = 512
    heads: Annotated[int, Range(1, 1024)] = 8
    inner: Annotated[int, Range(1, 1000000)] = 2048
    """Width of the feed-forward layers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_heads(self.width, self.heads, "width")

    def build_network(self, vocabulary_size: int) -> JointModel:
        from ._from_scratch.attention_decoders import TransformerDecoder
        from ._from_scratch.encoders import TransformerEncoder
        from ._from_scratch.joint_model import JointModel

        encoder = TransformerEncoder(
            feature_size(self.features, self.mels),
            layers=self.layers,
            width=self.width,
            heads=self.heads,
            inner=self.inner,
            dropout=self.dropout,
        )
        decoder = TransformerDecoder(
            vocabulary_size,
            layers=self.decoder_layers,
            width=self.width,
            heads=self.heads,
            inner=self.inner,
            dropout=self.dropout,
        )
        return JointModel(encoder, decoder, self.width, vocabulary_size)
