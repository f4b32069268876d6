"""Coqui's VITS: letters to sound in one model, in the voices of many speakers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.artifacts import not_in_cache_key
from ..core.types import Utterance
from ._coqui import model_files, training_clips
from ._coqui import vits_model as vits
from ._coqui.model_files import Model
from ._coqui.synthesizer import (
    MAX_SPEECH_SECONDS,
    TOO_LONG,
    CoquiSynthesizer,
    Scale,
    SynthesisOutcome,
    check_and_level,
    draw_scale,
    scale_range,
)


@dataclass(frozen=True)
class VitsSynthesizer(CoquiSynthesizer):
    """Learns the voices of all speakers of the lesson, and speaks every text in one of them.

    Conditional VAE with adversarial learning (Kim et al., arXiv 2106.06103) in the paper's sizes:
    86 million weights, of which 47 million are the discriminator's. From nothing it is usable after
    some hundred thousand steps on a GPU; adapted, sooner. Speakers are as the lesson's `speaker`
    says; what has none is one speaker's. A later round's new speakers begin at the mean of the
    known ones.
    """

    speakers: tuple[str, ...] = ()
    """Whose voices to learn and to speak in; left out, everybody of whom there are clips enough,
    and whom the voice that it goes on from knew."""
    hidden: int = 192
    """Channels of the text encoder, the posterior encoder and the flow; an even number."""
    layers: int = 6
    """Of the text encoder."""
    channels: int = 512
    """Of the decoder, at its begin; a multiple of 16."""
    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    """In samples, by which the discriminator looks; fewer are cheaper."""
    segment: int = 32
    """Frames of every clip that are made into sound in a step."""
    steps: int = 100_000
    batch: int = 32
    learning_rate: float = 2e-4
    noise: Scale = (0.5, 0.8)
    """Spread of what is drawn anew for every text, its tone and timbre; 0 is flat and even. Two
    numbers: drawn between them for every text and take, as `rhythm` and `speed` may be. (Coqui's
    own scales: 0.667, and 1.0 for rhythm.)"""
    rhythm: Scale = (0.6, 1.0)
    """Spread of how long letters are held."""
    speed: Scale = (0.9, 1.1)
    save_every: int = not_in_cache_key(500)

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.hidden, self.layers, self.segment) < 1 or self.hidden % 2:
            raise ValueError("hidden, layers and segment are 1 or more, hidden is even")
        if self.channels < 16 or self.channels % 16 or min(self.periods, default=2) < 2:
            raise ValueError("channels is a multiple of 16, every one of periods 2 or more")
        if not 0 <= scale_range(self.rhythm)[0] <= scale_range(self.rhythm)[1]:
            raise ValueError("rhythm is not below 0; of two, the smaller one first")

    def _explain_unfit(self, config: Any) -> str | None:
        return vits.explain_unfit(config)

    def _load_model(self, weights: Path) -> Model:
        return vits.load_model(weights)

    def _select_clips(
        self, lesson: Iterable[Utterance], model: Model | None
    ) -> Sequence[Utterance]:
        chosen = training_clips.select_clips_of_speakers(lesson, self.speakers)
        return [replace(each, speaker=each.speaker or vits.UNNAMED_SPEAKER) for each in chosen]

    def _configure_model(
        self, model: Model | None, clips: Sequence[Utterance], characters: str
    ) -> Model:
        speakers = sorted({each.speaker or vits.UNNAMED_SPEAKER for each in clips})
        if model is None:
            sizes = self.sample_rate, self.hidden, self.layers, self.channels
            model = vits.create_model(*sizes, self.periods, self.segment, characters, speakers)
        model = vits.extend_model(model, characters, speakers)
        config = model.config
        config.lr_gen = config.lr_disc = self.learning_rate
        config.lr_scheduler_gen = config.lr_scheduler_disc = None
        return model

    def _build_dataset(self, model: Model, samples: list[training_clips.CoquiSample]) -> Any:
        return vits.build_dataset(model, samples)

    def _prepare_for_inference(self, model: Model) -> None:
        vits.remove_weight_norm(model)

    def _synthesize_window(
        self, model: Model, texts: Sequence[Utterance]
    ) -> Iterator[SynthesisOutcome]:
        """One by one, so that nothing depends on what else is spoken."""
        named = [each for each in model.config.speakers if each in self.speakers]
        speakers = named or model.config.speakers
        for each in texts:
            letters, seed = (
                model_files.prepare_text(model, each.text or ""),
                model_files.derive_seed(each.id),
            )
            rng = np.random.default_rng(seed)
            speaker = speakers[int(rng.integers(len(speakers)))]
            scales = (
                draw_scale(self.speed, rng),
                draw_scale(self.noise, rng),
                draw_scale(self.rhythm, rng),
            )
            who = None if speaker == vits.UNNAMED_SPEAKER else speaker
            if wrong := model_files.explain_unspeakable(model, letters):
                yield SynthesisOutcome(who, wrong)
                continue
            with model_files.fork_random_state(seed):
                samples = vits.synthesize_samples(
                    model, letters, speaker, scales, MAX_SPEECH_SECONDS
                )
            yield SynthesisOutcome(
                who, TOO_LONG if samples is None else check_and_level(samples, model.ap.sample_rate)
            )
