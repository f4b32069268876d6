"""What a recognizer that begins from nothing hears: four kinds of features, 100 frames a second.

Each clip by itself, so that what lies beside it in a batch changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from ...audio import io as audio
from ...audio.io import SAMPLE_RATE, Samples
from ...core.errors import AudioError, EngineError
from ...core.types import Utterance

try:
    import torchaudio
    from torchaudio.compliance import kaldi
except OSError as cause:  # a build for CUDA beside a torch without
    raise EngineError("torchaudio does not load: run `twister doctor --fix`") from cause

Kind = Literal["filter_bank", "log_mel", "log_spectrogram", "mfcc"]
WINDOW, HOP = 400, 160
"""Samples: 25 and 10 ms."""
CEPSTRA = 40
"""Coefficients of `mfcc`, as in KoSpeech."""
FRAMES_A_SECOND = SAMPLE_RATE // HOP


def size_of(kind: Kind, mels: int) -> int:
    """Numbers in a frame."""
    return {"log_spectrogram": WINDOW // 2 + 1, "mfcc": CEPSTRA}.get(kind, mels)


def hearable(utterance: Utterance) -> Samples:
    """Its samples. Raises AudioError where it is unreadable, or too short for one frame."""
    return enough(utterance, audio.load_utterance(utterance))


def enough(utterance: Utterance, samples: Samples) -> Samples:
    """Raises AudioError where they are no numbers, or too few."""
    if not np.isfinite(samples).all():
        raise AudioError(f"{utterance.audio_filepath}: samples that are no numbers")
    if len(samples) < WINDOW:
        raise AudioError(f"{utterance.audio_filepath}: shorter than a frame of 25 ms")
    return samples


def features(samples: Samples, kind: Kind, mels: int) -> torch.Tensor:
    """(frames, size), mean 0 and variance 1 in every dimension over the clip."""
    wave = torch.from_numpy(samples)
    if kind == "filter_bank":
        made = kaldi.fbank(
            wave[None] * (1 << 15), num_mel_bins=mels, sample_frequency=SAMPLE_RATE, dither=0.0
        )
    elif kind == "log_spectrogram":
        made = _spectrogram(wave).clamp(min=1e-10).log()
    else:
        bank = torchaudio.functional.melscale_fbanks(
            WINDOW // 2 + 1, 0.0, SAMPLE_RATE / 2, mels, SAMPLE_RATE
        )
        made = (_spectrogram(wave) @ bank).clamp(min=1e-10).log()
        if kind == "mfcc":
            made = made @ torchaudio.functional.create_dct(min(CEPSTRA, mels), mels, "ortho")
    spread = made.std(dim=0, correction=0).clamp(min=1e-5)
    return torch.as_tensor((made - made.mean(dim=0)) / spread)


def batch_of(clips: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Clips beside each other, zeros behind: (batch, frames, size), and lengths (batch,)."""
    lengths = torch.tensor([len(each) for each in clips])
    return torch.nn.utils.rnn.pad_sequence(list(clips), batch_first=True), lengths


def _spectrogram(wave: torch.Tensor) -> torch.Tensor:
    """Power, (frames, bins)."""
    window = torch.hann_window(WINDOW)
    spectrum = torch.stft(wave, WINDOW, HOP, window=window, return_complex=True)
    return spectrum.abs().square().T
