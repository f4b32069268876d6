"""Coqui's Glow-TTS with Griffin-Lim: a neural voice that two processor cores can train."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import audio
from ..precision import Precision, resolve
from ..records import Utterance
from . import _coqui_clips as cutting
from . import _coqui_voice as voice
from . import _glow_model as glow
from ._coqui import LONGEST, TOO_LONG, CoquiVoice, Said, drawn, hurried, judged
from ._coqui_voice import Model

SPOKEN_TOGETHER = 16
"""Texts in a batch."""


@dataclass(frozen=True)
class CoquiSynthesizer(CoquiVoice):
    """Learns one speaker's voice from labeled clips and speaks letters.

    Glow-TTS without speaker embeddings learns one speaker; on several it learns a mixture that
    sounds like none, so the clips of one are chosen from the lesson. From nothing it is usable
    after some thousands of steps, adapted sooner.
    """

    speaker: str | None = None
    """Whose voice to learn; None goes on with the earlier voice's speaker where the lesson has
    enough of that one, and else takes whoever speaks most."""
    sample_rate: int = 8000
    hidden: int = 128
    """Channels of the text encoder, the duration predictor and the flow; an even number."""
    blocks: int = 8
    """Blocks of the flow."""
    layers: int = 3
    """Layers of every block of the flow, and of the text encoder."""
    precision: Precision = "auto"
    """What training computes in; auto is bfloat16 where the processor computes with it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.hidden, self.blocks, self.layers) < 1 or self.hidden % 2:
            raise ValueError("hidden, blocks and layers are 1 or more, hidden is even")

    def _unfit(self, config: Any) -> str | None:
        return glow.unfit(config)

    def _load(self, weights: Path) -> Model:
        return glow.load(weights)

    def _chosen(self, lesson: Iterable[Utterance], model: Model | None) -> Sequence[Utterance]:
        learned = model.config.speakers[0] if model and model.config.speakers else None
        return cutting.of_one_speaker(lesson, self.speaker, learned)

    def _configured(
        self, model: Model | None, clips: Sequence[Utterance], characters: str
    ) -> Model:
        if model is None:
            sizes = self.sample_rate, self.hidden, self.blocks, self.layers
            model = glow.create(*sizes, characters)
        model = glow.extend(model, characters)
        model.config.speakers = [clips[0].speaker] if clips[0].speaker else []
        model.config.lr, model.config.lr_scheduler = self.learning_rate, None
        model.config.mixed_precision = resolve(self.precision) == torch.bfloat16
        model.config.precision = "bf16"
        return model

    def _dataset(self, model: Model, samples: list[cutting.Sample]) -> Any:
        return model.get_data_loader(model.config, samples=samples).dataset

    def _settle(self, model: Model) -> None:
        model.store_inverse()

    def _say(self, model: Model, texts: Sequence[Utterance]) -> Iterable[Said]:
        """In batches of like length; what a text is batched with does not change it."""
        letters = [voice.readable(model, each.text or "") for each in texts]
        said: list[audio.Samples | str] = [voice.unspeakable(model, each) for each in letters]
        able = [place for place, error in enumerate(said) if not error]
        able.sort(key=lambda place: len(letters[place]))
        for first in range(0, len(able), SPOKEN_TOGETHER):
            places = able[first : first + SPOKEN_TOGETHER]
            seeds = [voice.seed_of(texts[place].id) for place in places]
            rngs = [np.random.default_rng(seed) for seed in seeds]
            speeds = [drawn(self.speed, rng) for rng in rngs]
            noises = [drawn(self.noise, rng) for rng in rngs]
            ids = [model.tokenizer.text_to_ids(letters[place]) for place in places]
            mels = glow.mels(model, ids, seeds, noises, speeds, LONGEST)
            with ThreadPoolExecutor(torch.get_num_threads()) as cores:  # numpy lets go of the lock
                spoken = list(cores.map(partial(_spoken, model), mels, seeds))
            for place, samples in zip(places, spoken, strict=True):
                said[place] = samples
        speaker = next(iter(model.config.speakers), None)
        return [Said(speaker, each) for each in said]


def _spoken(model: Model, mel: glow.Mel | None, seed: int) -> audio.Samples | str:
    if mel is None:
        return TOO_LONG
    ap = model.ap
    wrong = hurried(mel.shape[1] * ap.hop_length / ap.sample_rate)
    return wrong or judged(glow.vocode(model, mel, seed), ap.sample_rate)
