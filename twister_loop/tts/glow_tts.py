"""Coqui's Glow-TTS with Griffin-Lim: a neural voice whose tone and timbre are random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from ..core.ranges import Range
from ..core.types import Seconds
from ._coqui.mel_voice import MelSynthesizer, SynthesisRequest
from ._coqui.synthesizer import MAX_SPEECH_SECONDS
from ._coqui.voice_files import explain_unfit_glow_tts

if TYPE_CHECKING:
    from ._coqui.griffin_lim import Mel
    from ._coqui.model_files import Model


@dataclass(frozen=True)
class GlowTtsSynthesizer(MelSynthesizer):
    """Synthesizer of one speaker's voice, trained on labeled clips; it reads letters.

    Experimental: trained from scratch on 32 minutes of speech it did not become intelligible.
    After 2,900 steps (31 minutes on one core) untouched Whisper base transcribed it with CER 0.53,
    and the trial of a voice allows 0.35.

    Glow-TTS (Kim et al., arXiv 2005.11129). From scratch it needs some thousands of steps at
    least, adapted from `start` fewer.
    """

    experimental: ClassVar[str] = (
        "trained from scratch on 32 minutes of speech it did not become intelligible (CER 0.53 "
        "after 2,900 steps), and it has not been trained for longer"
    )

    step_seconds: ClassVar[Seconds | None] = 0.64  # 2,900 steps in 31 minutes (BENCHMARKS.md)
    measured_sizes: ClassVar[tuple[str, ...]] = ("hidden", "blocks", "layers")
    hidden: Annotated[int, Range(2, 65536)] = 128
    """Channels of the text encoder, the duration predictor and the flow; an even number."""
    blocks: Annotated[int, Range(1, 1000)] = 8
    """Blocks of the flow."""
    layers: Annotated[int, Range(1, 1000)] = 3
    """Layers of every block of the flow, and of the text encoder."""

    def __post_init__(self) -> None:
        if self.hidden % 2:
            raise ValueError(f"hidden must be an even number, not {self.hidden}")

    def _explain_unfit(self, config: Any) -> str | None:
        return explain_unfit_glow_tts(config)

    def _load_model(self, weights: Path) -> Model:
        from ._coqui import glow_tts_model as glow

        return glow.load_model(weights)

    def _create_model(self, characters: str) -> Model:
        from ._coqui import glow_tts_model as glow

        return glow.create_model(
            sample_rate=self.sample_rate,
            hidden=self.hidden,
            blocks=self.blocks,
            layers=self.layers,
            characters=characters,
        )

    def _extend_model(self, model: Model, characters: str) -> Model:
        from ._coqui import glow_tts_model as glow

        return glow.extend_model(model, characters)

    def _prepare_for_inference(self, model: Model) -> None:
        # The flow runs backwards in synthesis; its convolutions are inverted once.
        model.store_inverse()

    def _predict_mels(self, model: Model, requests: Sequence[SynthesisRequest]) -> list[Mel | None]:
        from ._coqui import glow_tts_model as glow

        return glow.predict_mels(model, requests, MAX_SPEECH_SECONDS)
