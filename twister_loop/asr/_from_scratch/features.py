"""Acoustic features of models trained from scratch: four kinds, 100 frames per second.

They are computed clip by clip, so that a clip's features do not depend on the rest of its batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...audio import io as audio
from ...audio.io import SAMPLE_RATE, Samples
from ...core.errors import AudioError, EngineError
from ...core.types import Utterance
from .feature_kinds import CEPSTRA, HOP, TOO_SHORT, WINDOW, FeatureKind

try:
    import torchaudio
    from torchaudio.compliance import kaldi
except OSError as cause:  # a build for CUDA beside a torch without
    raise EngineError("cannot load torchaudio: run `twister doctor --mend`") from cause

MIN_POWER = 1e-10
"""Floor below which the logarithm of a power is cut off; digital silence has a power of 0."""


def load_samples(utterance: Utterance) -> Samples:
    """Return the samples of an utterance.

    Raises:
        AudioError: the audio is unreadable or too short.
    """
    return check_samples(utterance, audio.load_utterance(utterance))


def check_samples(utterance: Utterance, samples: Samples) -> Samples:
    """Return the samples if features can be computed from them.

    Raises:
        AudioError: there are too few for a frame.
    """
    if len(samples) < WINDOW:
        raise AudioError(f"{utterance.audio_filepath}: {TOO_SHORT}")
    return samples


def extract_features(samples: Samples, kind: FeatureKind, mels: int) -> torch.Tensor:
    """Return the features of a clip, (frames, size).

    Every dimension has mean 0 and variance 1 over the clip, so loudness and microphone matter
    less.
    """
    waveform = torch.from_numpy(samples)
    if kind == "filter_bank":
        # Kaldi expects 16-bit integers; its dither would make features differ between runs.
        extracted = kaldi.fbank(
            waveform[None] * (1 << 15), num_mel_bins=mels, sample_frequency=SAMPLE_RATE, dither=0.0
        )
    elif kind == "log_spectrogram":
        extracted = _power_spectrogram(waveform).clamp(min=MIN_POWER).log()
    else:
        filters = torchaudio.functional.melscale_fbanks(
            WINDOW // 2 + 1, 0.0, SAMPLE_RATE / 2, mels, SAMPLE_RATE
        )
        extracted = (_power_spectrogram(waveform) @ filters).clamp(min=MIN_POWER).log()
        if kind == "mfcc":
            cosines = torchaudio.functional.create_dct(min(CEPSTRA, mels), mels, "ortho")
            extracted = extracted @ cosines
    # Population deviation (`correction=0`): that of a single frame is 0, not undefined.
    # A constant dimension, such as that of silence, has no deviation to divide by.
    deviation = extracted.std(dim=0, correction=0).clamp(min=1e-5)
    return torch.as_tensor((extracted - extracted.mean(dim=0)) / deviation)


def pad_features(clips: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return clips as one batch padded with zeros, (batch, frames, size), and lengths (batch,)."""
    lengths = torch.tensor([len(clip) for clip in clips])
    return torch.nn.utils.rnn.pad_sequence(list(clips), batch_first=True), lengths


def _power_spectrogram(waveform: torch.Tensor) -> torch.Tensor:
    """Return the power, (frames, bins)."""
    window = torch.hann_window(WINDOW)
    spectrum = torch.stft(waveform, WINDOW, HOP, window=window, return_complex=True)
    return spectrum.abs().square().T
