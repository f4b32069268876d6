"""Coqui's SpeedySpeech with Griffin-Lim: a neural voice that a processor core learns in minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._coqui import speedy_speech_model as speedy
from ._coqui.mel_voice import Mel, MelSynthesizer, SynthesisRequest
from ._coqui.model_files import Model
from ._coqui.synthesizer import MAX_SPEECH_SECONDS, Scale


@dataclass(frozen=True)
class SpeedySpeechSynthesizer(MelSynthesizer):
    """Learns one speaker's voice from labeled clips and speaks letters.

    SpeedySpeech (Vainer and Dušek, arXiv 2008.03802), whose letters are aligned as it learns. It
    says the mean of what it has heard, so it is understood long before Glow-TTS is, and sounds
    flatter.
    """

    hidden: int = 192
    """Channels of the text encoder and the decoder."""
    encoder_blocks: int = 7
    """Of two convolutions each, on letters."""
    decoder_blocks: int = 9
    """Of two convolutions each, on frames."""
    noise: Scale = (0.0, 0.2)
    """Spread of how long letters are held, against what it would hold them (of the logarithm);
    nothing else is drawn. Two numbers: drawn between them for every text and take."""
    speed: Scale = (0.9, 1.1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.hidden, self.encoder_blocks, self.decoder_blocks) < 1:
            raise ValueError("hidden, encoder_blocks and decoder_blocks are 1 or more")

    def _explain_unfit(self, config: Any) -> str | None:
        return speedy.explain_unfit(config)

    def _load_model(self, weights: Path) -> Model:
        return speedy.load_model(weights)

    def _create_model(self, characters: str) -> Model:
        sizes = self.sample_rate, self.hidden, self.encoder_blocks, self.decoder_blocks
        return speedy.create_model(*sizes, characters)

    def _extend_model(self, model: Model, characters: str) -> Model:
        return speedy.extend_model(model, characters)

    def _prepare_for_inference(self, model: Model) -> None:
        """There is nothing to fold."""

    def _predict_mels(self, model: Model, takes: Sequence[SynthesisRequest]) -> list[Mel | None]:
        return [speedy.predict_mel(model, each, MAX_SPEECH_SECONDS) for each in takes]
