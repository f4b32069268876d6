"""Conformer, trained from scratch: CTC and an attention decoder together (arXiv 2005.08100).

The default sizes are those of the Korean study that compared Whisper with it: 12 layers in the
encoder, 8 in the decoder, width 256, feed-forward width 2048, 8 heads, CTC weight 0.3 (35 epochs,
the last 5 averaged).
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
class Conformer(JointRecognizer):
    """Conformer encoder, CTC and a Transformer decoder."""

    network_options: ClassVar = ("layers", "decoder_layers", "width", "heads", "inner", "kernel")
    layers: Annotated[int, Range(1, 1000)] = 12
    decoder_layers: Annotated[int, Range(1, 1000)] = 8
    width: Annotated[int, Range(1, 65536)] = 256
    heads: Annotated[int, Range(1, 1024)] = 8
    inner: Annotated[int, Range(1, 1000000)] = 2048
    """Width of the feed-forward layers."""
    kernel: Annotated[int, Range(1, 1023)] = 31
    """Width of a convolution, in frames of 40 ms."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_heads(self.width, self.heads, "width")
        # The padding on both sides of a frame is equally long.
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel must be an odd number, not {self.kernel}")

    def build_network(self, vocabulary_size: int) -> JointModel:
        from ._from_scratch.attention_decoders import TransformerDecoder
        from ._from_scratch.encoders import ConformerEncoder
        from ._from_scratch.joint_model import JointModel

        encoder = ConformerEncoder(
            feature_size(self.features, self.mels),
            layers=self.layers,
            width=self.width,
            heads=self.heads,
            inner=self.inner,
            kernel=self.kernel,
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
