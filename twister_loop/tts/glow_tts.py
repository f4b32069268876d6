"""Coqui's Glow-TTS with Griffin-Lim: a neural voice whose tone and timbre are drawn anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._coqui import glow_tts_model as glow
from ._coqui.mel_voice import Mel, MelSynthesizer, SynthesisRequest
from ._coqui.model_files import Model
from ._coqui.synthesizer import MAX_SPEECH_SECONDS


@dataclass(frozen=True)
class GlowTtsSynthesizer(MelSynthesizer):
    """Learns one speaker's voice from labeled clips and speaks letters.

    Glow-TTS (Kim et al., arXiv 2005.11129). From nothing it is usable after some thousands of
    steps, adapted sooner.
    """

    hidden: int = 128
    """Channels of the text encoder, the duration predictor and the flow; an even number."""
    blocks: int = 8
    """Blocks of the flow."""
    layers: int = 3
    """Layers of every block of the flow, and of the text encoder."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.hidden, self.blocks, self.layers) < 1 or self.hidden % 2:
            raise ValueError("hidden, blocks and layers are 1 or more, hidden is even")

    def _explain_unfit(self, config: Any) -> str | None:
        return glow.explain_unfit(config)

    def _load_model(self, weights: Path) -> Model:
        return glow.load_model(weights)

    def _create_model(self, characters: str) -> Model:
        return glow.create_model(
            self.sample_rate, self.hidden, self.blocks, self.layers, characters
        )

    def _extend_model(self, model: Model, characters: str) -> Model:
        return glow.extend_model(model, characters)

    def _prepare_for_inference(self, model: Model) -> None:
        model.store_inverse()

    def _predict_mels(self, model: Model, takes: Sequence[SynthesisRequest]) -> list[Mel | None]:
        return glow.predict_mels(model, takes, MAX_SPEECH_SECONDS)
