"""Coqui's VITS: characters -> samples in one model, in the voices of many speakers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from ..core.artifacts import not_in_cache_key
from ..core.ranges import Count, MinLen, Range
from ..core.types import Utterance
from ._coqui.synthesizer import (
    MAX_SPEECH_SECONDS,
    TOO_LONG,
    CoquiSynthesizer,
    Rate,
    Scale,
    SynthesisOutcome,
    check_and_level,
    draw_scale,
)
from ._coqui.voice_files import explain_unfit_vits

if TYPE_CHECKING:
    from ._coqui import training_clips
    from ._coqui.model_files import Model


@dataclass(frozen=True)
class VitsSynthesizer(CoquiSynthesizer):
    """Synthesizer of many speakers: each text is spoken in the voice of one, drawn by its id.

    Experimental: it has only been trained for a few steps in tiny sizes, and nobody has listened
    to a fully trained voice.

    Conditional VAE with adversarial learning (Kim et al., arXiv 2106.06103) in the paper's sizes:
    86 million weights, of which 47 million are the discriminator's. From scratch it needs some
    hundred thousand steps on a GPU, adapted from `start` fewer. Speakers are the `speaker` fields
    of the clips; clips without one count as one speaker's. New speakers of a later round begin at
    the mean of the earlier ones.
    """

    experimental: ClassVar[str] = (
        "it has only been trained for a few steps in tiny sizes, and nobody has listened to a "
        "fully trained voice"
    )

    speakers: tuple[str, ...] = ()
    """Speakers to train on and to speak as. Empty: all with enough clips, and those of the voice
    that training continues from."""
    hidden: Annotated[int, Range(2, 65536)] = 192
    """Channels of the text encoder, the posterior encoder and the flow; an even number."""
    layers: Annotated[int, Range(1, 1000)] = 6
    """Layers of the text encoder."""
    channels: Annotated[int, Range(16, 65536)] = 512
    """Channels at the input of the decoder; a multiple of 16."""
    periods: Annotated[tuple[Annotated[int, Range(2, 1000)], ...], MinLen(1)] = (2, 3, 5, 7, 11)
    """Periods of the discriminator, in samples; fewer take less time."""
    segment: Annotated[int, Range(1, 10000)] = 32
    """Frames of every clip that are decoded in a training step."""
    steps: Count = 100_000
    batch: Annotated[int, Range(1, 10000)] = 32
    learning_rate: Annotated[float, Range(above=0, high=1)] = 2e-4
    noise: Scale = (0.5, 0.8)
    """Spread of the random latent of a text, its tone and timbre; 0 is flat and even. Of two
    numbers, one between them is drawn for every text and sample; so for `rhythm` and `speed`.
    (Coqui's own scales: 0.667, and 1.0 for rhythm.)"""
    rhythm: Scale = (0.6, 1.0)
    """Spread of the durations of letters."""
    speed: Rate = (0.9, 1.1)
    save_every: Count = not_in_cache_key(500)

    def __post_init__(self) -> None:
        if self.hidden % 2:
            raise ValueError(f"hidden must be an even number, not {self.hidden}")
        if self.channels % 16:
            raise ValueError(f"channels must be a multiple of 16, not {self.channels}")

    def _explain_unfit(self, config: Any) -> str | None:
        return explain_unfit_vits(config)

    def _load_model(self, weights: Path) -> Model:
        from ._coqui import vits_model as vits

        return vits.load_model(weights)

    def _select_clips(
        self, filtered_labels: Iterable[Utterance], model: Model | None
    ) -> Sequence[Utterance]:
        from ._coqui import training_clips
        from ._coqui import vits_model as vits

        clips = training_clips.select_clips_of_speakers(filtered_labels, self.speakers)
        return [replace(clip, speaker=clip.speaker or vits.UNNAMED_SPEAKER) for clip in clips]

    def _configure_model(
        self, model: Model | None, clips: Sequence[Utterance], characters: str
    ) -> Model:
        from ._coqui import vits_model as vits

        # Sorted, so that the rows do not depend on the order of the clips.
        speakers = sorted({clip.speaker or vits.UNNAMED_SPEAKER for clip in clips})
        if model is None:
            model = vits.create_model(
                sample_rate=self.sample_rate,
                hidden=self.hidden,
                layers=self.layers,
                channels=self.channels,
                periods=self.periods,
                segment=self.segment,
                characters=characters,
                speakers=speakers,
            )
        model = vits.extend_model(model, characters, speakers)
        config = model.config
        config.lr_gen = config.lr_disc = self.learning_rate
        # `IsolatedTrainer` sets the rate of every step itself.
        config.lr_scheduler_gen = config.lr_scheduler_disc = None
        return model

    def _build_dataset(self, model: Model, samples: list[training_clips.CoquiSample]) -> Any:
        from ._coqui import vits_model as vits

        return vits.build_dataset(model, samples)

    def _prepare_for_inference(self, model: Model) -> None:
        from ._coqui import vits_model as vits

        vits.remove_weight_norm(model)

    def _synthesize_window(
        self, model: Model, texts: Sequence[Utterance]
    ) -> Iterator[SynthesisOutcome]:
        """Synthesize one by one, since Coqui draws the noise of a whole batch together."""
        from ._coqui import model_files
        from ._coqui import vits_model as vits

        known_speakers = model.config.speakers
        # All speakers if the plan names none, or none that the voice was trained on.
        speakers = [name for name in known_speakers if name in self.speakers] or known_speakers
        for text in texts:
            prepared = model_files.prepare_text(model, text.text or "")
            seed = model_files.derive_seed(text.id)
            rng = np.random.default_rng(seed)
            # The order of the draws must not change, or a seed would stand for another sample.
            speaker = speakers[int(rng.integers(len(speakers)))]
            scales = vits.Scales(
                speed=draw_scale(self.speed, rng),
                noise=draw_scale(self.noise, rng),
                rhythm=draw_scale(self.rhythm, rng),
            )
            speaker_or_none = None if speaker == vits.UNNAMED_SPEAKER else speaker
            if error := model_files.explain_unspeakable(model, prepared):
                yield SynthesisOutcome(speaker_or_none, error)
                continue
            with model_files.fork_random_state(seed):
                samples = vits.synthesize_samples(
                    model, prepared, speaker=speaker, scales=scales, max_seconds=MAX_SPEECH_SECONDS
                )
            yield SynthesisOutcome(
                speaker_or_none,
                TOO_LONG if samples is None else check_and_level(samples, model.ap.sample_rate),
            )
