"""Coqui's SpeedySpeech with Griffin-Lim: a neural voice that trains in minutes on one core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from ..core.ranges import Range
from ..core.types import Seconds
from ._coqui.mel_voice import MelSynthesizer, SynthesisRequest
from ._coqui.synthesizer import MAX_SPEECH_SECONDS, Rate, Scale
from ._coqui.voice_files import explain_unfit_speedy_speech

if TYPE_CHECKING:
    from ._coqui.griffin_lim import Mel
    from ._coqui.model_files import Model


@dataclass(frozen=True)
class SpeedySpeechSynthesizer(MelSynthesizer):
    """Synthesizer of one speaker's voice, trained on labeled clips; it reads letters.

    SpeedySpeech (Vainer and Dušek, arXiv 2008.03802), with an aligner that is trained along. It
    predicts the mean of its training speech, so it becomes intelligible long before Glow-TTS, and
    sounds flatter.
    """

    step_seconds: ClassVar[Seconds | None] = 0.53  # 4,000 steps in 35 minutes (BENCHMARKS.md)
    measured_sizes: ClassVar[tuple[str, ...]] = ("hidden", "encoder_blocks", "decoder_blocks")
    hidden: Annotated[int, Range(1, 65536)] = 192
    """Channels of the text encoder and the decoder."""
    encoder_blocks: Annotated[int, Range(1, 1000)] = 7
    """Blocks of two convolutions over letters."""
    decoder_blocks: Annotated[int, Range(1, 1000)] = 9
    """Blocks of two convolutions over frames."""
    noise: Scale = (0.0, 0.2)
    """Spread of the durations of letters, as the standard deviation of their logarithm; nothing
    else is random. Of two numbers, one between them is drawn for every text and sample."""
    speed: Rate = (0.9, 1.1)

    def _explain_unfit(self, config: Any) -> str | None:
        return explain_unfit_speedy_speech(config)

    def _load_model(self, weights: Path) -> Model:
        from ._coqui import speedy_speech_model as speedy

        return speedy.load_model(weights)

    def _create_model(self, characters: str) -> Model:
        from ._coqui import speedy_speech_model as speedy

        return speedy.create_model(
            sample_rate=self.sample_rate,
            hidden=self.hidden,
            encoder_blocks=self.encoder_blocks,
            decoder_blocks=self.decoder_blocks,
            characters=characters,
        )

    def _extend_model(self, model: Model, characters: str) -> Model:
        from ._coqui import speedy_speech_model as speedy

        return speedy.extend_model(model, characters)

    def _prepare_for_inference(self, model: Model) -> None:
        """Do nothing: the model has no weights to fold."""

    def _predict_mels(self, model: Model, requests: Sequence[SynthesisRequest]) -> list[Mel | None]:
        from ._coqui import speedy_speech_model as speedy

        # One by one, so that no text depends on those that it is batched with.
        return [speedy.predict_mel(model, request, MAX_SPEECH_SECONDS) for request in requests]
