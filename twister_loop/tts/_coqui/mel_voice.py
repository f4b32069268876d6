"""What Coqui's voices of one speaker share: letters -> mel frames -> samples by Griffin-Lim."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from TTS.config.shared_configs import BaseAudioConfig
from TTS.utils.audio.numpy_transforms import db_to_amp, mel_to_spec

from ...asr._precision import Precision, resolve_dtype
from ...audio import io as audio
from ...core.types import Utterance
from . import model_files, training_clips
from .model_files import Model
from .synthesizer import (
    TOO_LONG,
    CoquiSynthesizer,
    SynthesisOutcome,
    check_and_level,
    draw_scale,
    explain_too_short,
)

ITERATIONS = 32
"""Of the fast Griffin-Lim algorithm."""
SPOKEN_TOGETHER = 16
"""Texts in a batch."""

Mel: TypeAlias = NDArray[np.float32]
"""Shape (mels, frames), normalized as Coqui's audio processor does."""


class SynthesisRequest(NamedTuple):
    """How a text is to be spoken this time."""

    token_ids: Sequence[int]
    """By their numbers."""
    seed: int
    noise: float
    speed: float


@dataclass(frozen=True)
class MelSynthesizer(CoquiSynthesizer):
    """Learns one speaker; on several it would learn a mixture that sounds like none of them."""

    speaker: str | None = None
    """Whose voice to learn; None goes on with the earlier voice's speaker where the lesson has
    enough of that one, and else takes whoever speaks most."""
    sample_rate: int = 8000
    precision: Precision = "auto"
    """What training computes in; auto is bfloat16 where the processor computes with it."""

    def _select_clips(
        self, lesson: Iterable[Utterance], model: Model | None
    ) -> Sequence[Utterance]:
        learned = model.config.speakers[0] if model and model.config.speakers else None
        return training_clips.select_clips_of_one_speaker(lesson, self.speaker, learned)

    def _configure_model(
        self, model: Model | None, clips: Sequence[Utterance], characters: str
    ) -> Model:
        model = self._extend_model(model, characters) if model else self._create_model(characters)
        model.config.speakers = [clips[0].speaker] if clips[0].speaker else []
        model.config.lr, model.config.lr_scheduler = self.learning_rate, None
        model.config.mixed_precision = resolve_dtype(self.precision) == torch.bfloat16
        model.config.precision = "bf16"
        return model

    def _build_dataset(self, model: Model, samples: list[training_clips.CoquiSample]) -> Any:
        return model.get_data_loader(model.config, samples=samples).dataset

    def _synthesize_window(
        self, model: Model, texts: Sequence[Utterance]
    ) -> Iterable[SynthesisOutcome]:
        """In batches of like length; what a text is batched with does not change it."""
        letters = [model_files.prepare_text(model, each.text or "") for each in texts]
        said: list[audio.Samples | str] = [
            model_files.explain_unspeakable(model, each) for each in letters
        ]
        able = [place for place, error in enumerate(said) if not error]
        able.sort(key=lambda place: len(letters[place]))
        for first in range(0, len(able), SPOKEN_TOGETHER):
            places = able[first : first + SPOKEN_TOGETHER]
            takes = [self._draw_request(model, letters[place], texts[place].id) for place in places]
            mels = self._predict_mels(model, takes)
            with ThreadPoolExecutor(torch.get_num_threads()) as cores:  # numpy lets go of the lock
                seeds = (each.seed for each in takes)
                spoken = list(cores.map(partial(_spoken, model), mels, seeds))
            for place, samples in zip(places, spoken, strict=True):
                said[place] = samples
        speaker = next(iter(model.config.speakers), None)
        return [SynthesisOutcome(speaker, each) for each in said]

    def _draw_request(self, model: Model, letters: str, id_: str) -> SynthesisRequest:
        seed = model_files.derive_seed(id_)
        rng = np.random.default_rng(seed)
        speed, noise = draw_scale(self.speed, rng), draw_scale(self.noise, rng)
        return SynthesisRequest(model.tokenizer.text_to_ids(letters), seed, noise, speed)

    @abstractmethod
    def _create_model(self, characters: str) -> Model:
        """A new voice of the sizes asked for."""

    @abstractmethod
    def _extend_model(self, model: Model, characters: str) -> Model:
        """An earlier voice with room for more characters."""

    @abstractmethod
    def _predict_mels(self, model: Model, takes: Sequence[SynthesisRequest]) -> list[Mel | None]:
        """Mel frames of every text; None for what would be longer than `LONGEST`."""


def make_audio_config(rate: int) -> BaseAudioConfig:
    """64 ms windows every 16 ms at 8 kHz, like that at other rates."""
    hop = 128 * 2 ** int(np.log2(rate / 8000))
    return BaseAudioConfig(sample_rate=rate, fft_size=4 * hop, win_length=4 * hop, hop_length=hop)


def vocode(model: Model, mel: Mel, seed: int) -> NDArray[np.float32]:
    """Find samples for mel frames by the fast Griffin-Lim algorithm (Perraudin et al., 2013)."""
    ap = model.ap
    amplitudes = db_to_amp(x=ap.denormalize(mel), gain=ap.spec_gain, base=ap.base)
    spectrum = mel_to_spec(mel=amplitudes, mel_basis=ap.mel_basis) ** ap.power
    samples: NDArray[np.float32] = librosa.griffinlim(
        spectrum.astype(np.float32),
        n_iter=ITERATIONS,
        hop_length=ap.hop_length,
        win_length=ap.win_length,
        n_fft=ap.fft_size,
        pad_mode=ap.stft_pad_mode,
        random_state=seed,
    )
    return samples


def _spoken(model: Model, mel: Mel | None, seed: int) -> audio.Samples | str:
    if mel is None:
        return TOO_LONG
    ap = model.ap
    wrong = explain_too_short(mel.shape[1] * ap.hop_length / ap.sample_rate)
    return wrong or check_and_level(vocode(model, mel, seed), ap.sample_rate)
