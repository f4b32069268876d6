"""Recurrent transducer (RNN-T), trained from scratch together with CTC (arXiv 1211.3711).

The default sizes are KoSpeech's: 4 encoder layers of width 320, one prediction layer of width 512.
Greedy decoding uses the transducer itself. A training step needs memory for clips x frames x tokens
of a text x vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from ..core.ranges import Range
from ._from_scratch import ctc
from ._from_scratch.ctc_attention import JointRecognizer
from ._from_scratch.feature_kinds import feature_size

if TYPE_CHECKING:
    import torch

    from ._from_scratch.joint_model import JointModel


@dataclass(frozen=True)
class Transducer(JointRecognizer):
    """Bidirectional LSTM encoder, CTC and a transducer."""

    network_options: ClassVar = ("layers", "decoder_layers", "hidden", "width")
    layers: Annotated[int, Range(1, 1000)] = 4
    decoder_layers: Annotated[int, Range(1, 1000)] = 1
    hidden: Annotated[int, Range(1, 65536)] = 320
    """Width of each direction of the encoder."""
    width: Annotated[int, Range(1, 65536)] = 512
    """Width of the prediction network and of the joint network."""

    def build_network(self, vocabulary_size: int) -> JointModel:
        from ._from_scratch.encoders import ListenerEncoder
        from ._from_scratch.joint_model import JointModel
        from ._from_scratch.transducer_model import TransducerDecoder

        size = feature_size(self.features, self.mels)
        encoder = ListenerEncoder(
            size, layers=self.layers, hidden=self.hidden, dropout=self.dropout
        )
        decoder = TransducerDecoder(
            vocabulary_size, encoded=2 * self.hidden, layers=self.decoder_layers, width=self.width
        )
        return JointModel(encoder, decoder, 2 * self.hidden, vocabulary_size)

    def transcribe_batch(
        self, network: torch.nn.Module, features: torch.Tensor, lengths: torch.Tensor
    ) -> list[ctc.Hypothesis]:
        from ._from_scratch.joint_model import JointModel
        from ._from_scratch.transducer_model import TransducerDecoder

        assert isinstance(network, JointModel)
        # Beam search takes its hypotheses from CTC, and the transducer rescores them.
        if self.decode != "greedy":
            return super().transcribe_batch(network, features, lengths)
        assert isinstance(network.decoder, TransducerDecoder)
        encoded, frames = network.encoder(features, lengths)
        return [
            network.decoder.decode_greedy(clip[: int(length)])
            for clip, length in zip(encoded, frames, strict=True)
        ]

    def decoding_description(self) -> str:
        return "greedy transducer" if self.decode == "greedy" else super().decoding_description()
