"""A recurrent transducer, from nothing, with CTC beside it (arXiv 1211.3711).

The sizes are KoSpeech's: 4 layers of 320 that listen, one of 512 that predicts. Greedy reads the
transducer itself. A step takes memory for clips x frames x tokens of a text x vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from ._from_scratch import ctc
from ._from_scratch.ctc_attention import JointModel, JointRecognizer
from ._from_scratch.encoders import Listener
from ._from_scratch.features import size_of
from ._from_scratch.transducer_model import TransducerDecoder


@dataclass(frozen=True)
class Transducer(JointRecognizer):
    shape: ClassVar = ("layers", "decoder_layers", "hidden", "width")
    layers: int = 4
    decoder_layers: int = 1
    hidden: int = 320
    """Of each direction of what listens."""
    width: int = 512
    """Of what predicts, and of what both are joined in."""

    def network(self, tokens: int) -> JointModel:
        size = size_of(self.features, self.mels)
        encoder = Listener(size, layers=self.layers, hidden=self.hidden, dropout=self.dropout)
        decoder = TransducerDecoder(
            tokens, encoded=2 * self.hidden, layers=self.decoder_layers, width=self.width
        )
        return JointModel(encoder, decoder, 2 * self.hidden, tokens)

    def readings(
        self, model: torch.nn.Module, speech: torch.Tensor, lengths: torch.Tensor
    ) -> list[ctc.Reading]:
        assert isinstance(model, JointModel)
        if self.decode != "greedy":
            return super().readings(model, speech, lengths)
        assert isinstance(model.decoder, TransducerDecoder)
        encoded, frames = model.encoder(speech, lengths)
        return [
            model.decoder.read(each[: int(count)])
            for each, count in zip(encoded, frames, strict=True)
        ]

    def decoding_description(self) -> str:
        return "greedy transducer" if self.decode == "greedy" else super().decoding_description()
