"""Samples from mel frames by fast Griffin-Lim, for the Coqui voices of one speaker."""

from __future__ import annotations

from typing import TypeAlias

import librosa
import numpy as np
from numpy.typing import NDArray
from TTS.config.shared_configs import BaseAudioConfig
from TTS.utils.audio.numpy_transforms import db_to_amp, mel_to_spec

from ...audio import io as audio
from ...core.types import Hertz
from .model_files import Model
from .synthesizer import TOO_LONG, check_and_level, explain_too_short

GRIFFIN_LIM_ITERATIONS = 32
"""Iterations of the fast Griffin-Lim algorithm."""
Mel: TypeAlias = NDArray[np.float32]
"""Shape (mels, frames), normalized as Coqui's audio processor does."""


def make_audio_config(sample_rate: Hertz) -> BaseAudioConfig:
    """Return windows of 64 ms every 16 ms at 8 kHz, and of about that length at other rates."""
    # Powers of two, the fastest sizes of an FFT.
    hop = 128 * 2 ** int(np.log2(sample_rate / 8000))
    return BaseAudioConfig(
        sample_rate=sample_rate, fft_size=4 * hop, win_length=4 * hop, hop_length=hop
    )


def vocode(model: Model, mel: Mel, seed: int) -> NDArray[np.float32]:
    """Return samples (n_samples,) for mel frames (mels, frames), by fast Griffin-Lim.

    Perraudin et al., 2013. `seed` is that of the initial phases.
    """
    processor = model.ap
    amplitudes = db_to_amp(
        x=processor.denormalize(mel), gain=processor.spec_gain, base=processor.base
    )
    spectrum = mel_to_spec(mel=amplitudes, mel_basis=processor.mel_basis) ** processor.power
    # Not Coqui's own Griffin-Lim: it draws its phases from NumPy's global state, which threads
    # share.
    samples: NDArray[np.float32] = librosa.griffinlim(
        spectrum.astype(np.float32),
        n_iter=GRIFFIN_LIM_ITERATIONS,
        hop_length=processor.hop_length,
        win_length=processor.win_length,
        n_fft=processor.fft_size,
        pad_mode=processor.stft_pad_mode,
        random_state=seed,
    )
    return samples


def vocode_and_check(model: Model, mel: Mel | None, seed: int) -> audio.Samples | str:
    """Return samples, or an error message if the mel frames are too long or too short."""
    if mel is None:
        return TOO_LONG
    processor = model.ap
    sample_rate = processor.sample_rate
    # Checked before Griffin-Lim, which needs a few frames to work at all.
    if reason := explain_too_short(mel.shape[1] * processor.hop_length / sample_rate):
        return reason
    return check_and_level(vocode(model, mel, seed), sample_rate)
