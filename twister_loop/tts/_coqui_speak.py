"""How a Glow-TTS voice speaks: letters -> mel frames (arXiv 2005.11129) -> samples."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.utils.rnn import pad_sequence
from TTS.tts.utils.helpers import generate_path, sequence_mask
from TTS.utils.audio.numpy_transforms import db_to_amp, mel_to_spec

from ..records import Seconds
from ._coqui_voice import Model

ITERATIONS = 32
"""Of the fast Griffin-Lim algorithm."""

Mel = NDArray[np.float32]
"""Shape (mels, frames), normalized as Coqui's audio processor does."""


def seed_of(name: str) -> int:
    """The same number for the same name, everywhere."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])


@torch.inference_mode()
def mels(
    model: Model,
    texts: Sequence[Sequence[int]],
    seeds: Sequence[int],
    noise: float,
    speed: float,
    longest: Seconds,
) -> list[Mel | None]:
    """Speak a batch; None for what would be longer than `longest`.

    This is `GlowTTS.inference`, but what a text is batched with does not change how it is
    spoken: noise is drawn for every text apart, and padding takes no time.
    """
    device = model.device
    lengths = torch.tensor([len(each) for each in texts], device=device)
    padded = pad_sequence([torch.tensor(each) for each in texts], batch_first=True).to(device)
    mean, log_scale, log_time, mask = model.encoder(padded, lengths, g=None)
    # (batch, characters), in frames
    times = ((log_time.exp() - 1) / speed).ceil().clamp_min(1).mul(mask).squeeze(1)
    limit = longest * model.ap.sample_rate / model.ap.hop_length
    sane = times.sum(1) <= limit  # also false where it is not a number
    times = torch.where(sane[:, None], times, mask.squeeze(1))
    frames = times.sum(1).long()
    heard = sequence_mask(frames).unsqueeze(1).to(mean.dtype)  # (batch, 1, frames)
    path = generate_path(times, mask.transpose(1, 2) * heard)  # (batch, characters, frames)
    drawn = [
        torch.randn(mean.shape[1], int(each), generator=torch.Generator().manual_seed(seed)).T
        for seed, each in zip(seeds, frames, strict=True)
    ]
    randomness = pad_sequence(drawn, batch_first=True).transpose(1, 2).to(device)
    latent = (mean @ path + (log_scale @ path).exp() * randomness * noise) * heard
    spoken, _ = model.decoder(latent, heard, g=None, reverse=True)  # (batch, mels, frames)
    whole = frames // model.num_squeeze * model.num_squeeze  # the rest of a squeeze is masked
    return [
        each[:, :size].float().cpu().numpy() if good else None
        for each, size, good in zip(spoken, whole.tolist(), sane.tolist(), strict=True)
    ]


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
