"""Listen, Attend and Spell, trained from scratch together with CTC (arXiv 1508.01211).

The default sizes are KoSpeech's: 3 layers in the listener, 2 in the speller, width 512, 4 heads,
CTC weight 0.3.
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
class ListenAttendSpell(JointRecognizer):
    """Bidirectional LSTM encoder, CTC and an LSTM decoder with attention."""

    network_options: ClassVar = ("layers", "decoder_layers", "hidden", "heads")
    layers: Annotated[int, Range(1, 1000)] = 3
    decoder_layers: Annotated[int, Range(1, 1000)] = 2
    hidden: Annotated[int, Range(1, 65536)] = 512
    """Width of each direction of the encoder."""
    heads: Annotated[int, Range(1, 1024)] = 4
    dropout: Annotated[float, Range(0, below=1)] = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_heads(2 * self.hidden, self.heads, "twice `hidden`")

    def build_network(self, vocabulary_size: int) -> JointModel:
        from ._from_scratch.attention_decoders import Speller
        from ._from_scratch.encoders import ListenerEncoder
        from ._from_scratch.joint_model import JointModel

        size = feature_size(self.features, self.mels)
        encoder = ListenerEncoder(
            size, layers=self.layers, hidden=self.hidden, dropout=self.dropout
        )
        width = 2 * self.hidden  # both directions side by side
        decoder = Speller(
            vocabulary_size,
            layers=self.decoder_layers,
            width=width,
            heads=self.heads,
            dropout=self.dropout,
        )
        return JointModel(encoder, decoder, width, vocabulary_size)
