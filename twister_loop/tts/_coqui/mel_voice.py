"""Base class of Coqui voices of one speaker: characters -> mel frames -> samples (Griffin-Lim)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np

from ...asr._precision import Precision, resolve_dtype
from ...audio import io as audio
from ...core.ranges import Range
from ...core.types import Utterance
from .synthesizer import CoquiSynthesizer, SynthesisOutcome, draw_scale

if TYPE_CHECKING:
    from . import training_clips
    from .griffin_lim import Mel
    from .model_files import Model

BATCH_SIZE = 16
"""Texts that are synthesized together."""


class SynthesisRequest(NamedTuple):
    """Text to synthesize, with everything that was drawn for it."""

    token_ids: Sequence[int]
    """The characters, as rows of the embedding."""
    seed: int
    """Seed of the latent noise."""
    noise: float
    """Spread of the latent noise."""
    speed: float
    """Rate of speech; 2 is twice as fast as trained."""


@dataclass(frozen=True)
class MelSynthesizer(CoquiSynthesizer):
    """Synthesizer with one speaker; trained on several it would mix their voices."""

    # Without an embedding of speakers these models can only represent one.
    speaker: str | None = None
    """Speaker to train on. None continues with the speaker of the earlier voice if that one has
    enough clips, and otherwise takes the one with most speech."""
    sample_rate: Annotated[int, Range(8000, 48000)] = 8000
    precision: Precision = "auto"
    """Number format of training; auto is bfloat16 if the processor computes in it."""

    def _select_clips(
        self, filtered_labels: Iterable[Utterance], model: Model | None
    ) -> Sequence[Utterance]:
        from . import training_clips

        learned_speaker = model.config.speakers[0] if model and model.config.speakers else None
        return training_clips.select_clips_of_one_speaker(
            filtered_labels, self.speaker, learned_speaker
        )

    def _configure_model(
        self, model: Model | None, clips: Sequence[Utterance], characters: str
    ) -> Model:
        import torch

        model = self._extend_model(model, characters) if model else self._create_model(characters)
        # Coqui ignores it here. It is kept for later rounds, which prefer the same speaker.
        model.config.speakers = [clips[0].speaker] if clips[0].speaker else []
        # `IsolatedTrainer` sets the rate of every step itself.
        model.config.lr, model.config.lr_scheduler = self.learning_rate, None
        model.config.mixed_precision = resolve_dtype(self.precision) == torch.bfloat16
        # Only read with mixed precision, and then fp16 by default, which needs scaling of the loss.
        model.config.precision = "bf16"
        return model

    def _build_dataset(self, model: Model, samples: list[training_clips.CoquiSample]) -> Any:
        return model.get_data_loader(model.config, samples=samples).dataset

    def _synthesize_window(
        self, model: Model, texts: Sequence[Utterance]
    ) -> Iterable[SynthesisOutcome]:
        """Synthesize in batches of like length; the batch does not influence a text's speech."""
        import torch

        from . import model_files
        from .griffin_lim import vocode_and_check

        prepared = [model_files.prepare_text(model, text.text or "") for text in texts]
        outcomes: list[audio.Samples | str] = [
            model_files.explain_unspeakable(model, text) for text in prepared
        ]
        # An empty message means that nothing speaks against the text.
        speakable = [index for index, error in enumerate(outcomes) if not error]
        # Like lengths together: less padding to compute.
        speakable.sort(key=lambda index: len(prepared[index]))
        for first in range(0, len(speakable), BATCH_SIZE):
            indices = speakable[first : first + BATCH_SIZE]
            requests = [
                self._draw_request(model, prepared[index], texts[index].id) for index in indices
            ]
            mels = self._predict_mels(model, requests)
            # Griffin-Lim takes most of the time, on one core; numpy releases the lock meanwhile.
            with ThreadPoolExecutor(torch.get_num_threads()) as cores:
                seeds = (request.seed for request in requests)
                speech = list(cores.map(partial(vocode_and_check, model), mels, seeds))
            for index, samples_or_error in zip(indices, speech, strict=True):
                outcomes[index] = samples_or_error
        speaker = next(iter(model.config.speakers), None)
        return [SynthesisOutcome(speaker, samples_or_error) for samples_or_error in outcomes]

    def _draw_request(self, model: Model, prepared_text: str, text_id: str) -> SynthesisRequest:
        """Draw speed and noise of a text, seeded by its id."""
        from .model_files import derive_seed

        seed = derive_seed(text_id)
        rng = np.random.default_rng(seed)
        # The order of the draws must not change, or a seed would stand for another sample.
        speed, noise = draw_scale(self.speed, rng), draw_scale(self.noise, rng)
        return SynthesisRequest(
            model.tokenizer.text_to_ids(prepared_text), seed=seed, noise=noise, speed=speed
        )

    @abstractmethod
    def _create_model(self, characters: str) -> Model:
        """Return an untrained model of the sizes in the plan."""

    @abstractmethod
    def _extend_model(self, model: Model, characters: str) -> Model:
        """Return an earlier model with rows for more characters."""

    @abstractmethod
    def _predict_mels(self, model: Model, requests: Sequence[SynthesisRequest]) -> list[Mel | None]:
        """Return the mel frames of every text; None if they exceed `MAX_SPEECH_SECONDS`."""
