"""Coqui's Glow-TTS with Griffin-Lim: a neural voice whose tone and timbre are drawn anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._coqui import glow_tts_model as glow
from ._coqui.mel_voice import Mel, MelVoice, Take
from ._coqui.model_files import Model
from ._coqui.synthesizer import LONGEST


@dataclass(frozen=True)
class GlowTtsSynthesizer(MelVoice):
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

    def _unfit(self, config: Any) -> str | None:
        return glow.unfit(config)

    def _load(self, weights: Path) -> Model:
        return glow.load(weights)

    def _created(self, characters: str) -> Model:
        return glow.create(self.sample_rate, self.hidden, self.blocks, self.layers, characters)

    def _extended(self, model: Model, characters: str) -> Model:
        return glow.extend(model, characters)

    def _settle(self, model: Model) -> None:
        model.store_inverse()

    def _mels(self, model: Model, takes: Sequence[Take]) -> list[Mel | None]:
        return glow.mels(model, takes, LONGEST)
