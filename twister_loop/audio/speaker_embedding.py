"""Speaker embeddings of 256 numbers, by the weights in the package Resemblyzer.

The voice encoder of Resemblyzer 0.1.4 (Corentin Jemine, Resemble AI; Apache-2.0), trained with the
loss of Wan et al., arXiv 1710.10467. Only its weights are read: its code needs webrtcvad, which
must be compiled, to cut silence that a pool has lost already. The embeddings are the same; a test
compares them with those of the package itself.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..core.errors import ConfigError
from ..core.types import Seconds
from .embedding_weights import PACKAGE, find_weights
from .io import SAMPLE_RATE, Samples, measure_loudness

SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
"""Digest of the package's `pretrained.pt`."""
SIZE = 256
"""Numbers of an embedding; also the width of the encoder."""
MELS = 40
FRAME, HOP = 400, 160
"""Frame length and step in samples: 25 and 10 ms."""
WINDOW = 160
"""Frames that the encoder reads at once, 1.6 s; shorter speech is mostly padding."""
STEP = 77
"""Frames between the starts of windows: 1.3 windows a second."""
BATCH = 64
"""Windows that are embedded at once; the matrices of one layer take 40 MB."""
MIN_COVERAGE = 0.75
"""Share of the last window that must be speech, unless it is the only one."""
MIN_LOUDNESS = -30.0
"""Decibels below full scale; quieter speech is raised to it."""
MIN_DURATION: Seconds = WINDOW * HOP / SAMPLE_RATE

Embedding = NDArray[np.float32]
"""Shape (256,), of length 1, nothing below 0. The cosine of two is their dot product."""


class Encoder(nn.Module):
    """Three LSTM layers and a projection, named as in the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(MELS, SIZE, 3, batch_first=True)
        self.linear = nn.Linear(SIZE, SIZE)

    def forward(self, mels: torch.Tensor) -> torch.Tensor:
        """Map (windows, frames, mels) to (windows, 256), each of length 1."""
        _, (hidden, _) = self.lstm(mels)
        raw = torch.relu(self.linear(hidden[-1]))
        return nn.functional.normalize(raw)


def embed(samples: Samples) -> Embedding:
    """Return the embedding of speech of one speaker.

    Args:
        samples: float32, (n_samples,), at 16 kHz.

    Raises:
        ConfigError: the weights are not installed.
    """
    gain = 10 ** (max(0.0, MIN_LOUDNESS - measure_loudness(samples)) / 20)
    # Only upwards, as Resemblyzer does it: loud speech is left as it is.
    louder = samples * np.float32(gain)
    starts = _window_starts(len(samples))
    padded = np.pad(louder, (0, max(0, (starts[-1] + WINDOW) * HOP - len(louder))))
    spectrum = librosa.feature.melspectrogram(
        y=padded, sr=SAMPLE_RATE, n_fft=FRAME, hop_length=HOP, n_mels=MELS
    ).T  # (frames, mels)
    mels = np.stack([spectrum[start : start + WINDOW] for start in starts]).astype(np.float32)
    with torch.inference_mode():
        mean = _load_encoder()(torch.from_numpy(mels)).numpy().mean(axis=0)
    # The mean of unit vectors is shorter than 1.
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


def embed_windows(
    samples: Samples, spans: Sequence[tuple[Seconds, Seconds]]
) -> NDArray[np.float32]:
    """Return the embedding of each of many short spans, without a mean over windows.

    A span shorter than `MIN_DURATION` is repeated until it fills a window: with silence behind it
    the embedding would be that of the silence in part.

    Args:
        samples: float32, (n_samples,), at 16 kHz, with all spans in it.
        spans: (start, end) of each span in seconds, at most `MIN_DURATION` apart.

    Returns:
        Shape (spans, 256), each of length 1.

    Raises:
        ConfigError: the weights are not installed.
    """
    embeddings = [np.empty((0, SIZE), np.float32)]
    for first in range(0, len(spans), BATCH):
        windows = np.stack(
            [
                _fill_window(samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)])
                for start, end in spans[first : first + BATCH]
            ]
        )
        mels = librosa.feature.melspectrogram(
            y=windows, sr=SAMPLE_RATE, n_fft=FRAME, hop_length=HOP, n_mels=MELS
        ).transpose(0, 2, 1)[:, :WINDOW]
        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(mels, np.float32))
            embeddings.append(_load_encoder()(batch).numpy())
    return np.concatenate(embeddings)


def _fill_window(samples: Samples) -> Samples:
    """Return at most a window of speech as a full window, quiet speech louder."""
    gain = 10 ** (max(0.0, MIN_LOUDNESS - measure_loudness(samples)) / 20)
    return np.resize(samples * np.float32(gain), WINDOW * HOP)


def _window_starts(sample_count: int) -> list[int]:
    """Return the frames at which windows start, as Resemblyzer places them."""
    frames = -(-(sample_count + 1) // HOP)  # rounded up
    starts = list(range(0, max(1, frames - WINDOW + STEP + 1), STEP))
    frames_in_last = sample_count / HOP - starts[-1]
    is_mostly_padding = frames_in_last < MIN_COVERAGE * WINDOW
    return starts[:-1] if len(starts) > 1 and is_mostly_padding else starts


def encode_embedding(embedding: Embedding) -> str:
    """Return an embedding as text for a line of a manifest: one byte a number, in base64."""
    # Nothing is below 0, and only the direction counts, so the largest number may become 255.
    quantized = np.round(embedding / embedding.max() * 255).astype(np.uint8)
    return base64.b64encode(quantized.tobytes()).decode()


def decode_embedding(text: str) -> Embedding:
    """Return the embedding of a line; rounding changed the cosine of two by less than 0.001."""
    quantized = np.frombuffer(base64.b64decode(text), np.uint8).astype(np.float32)
    return np.asarray(quantized / np.linalg.norm(quantized), np.float32)


@cache
def _load_encoder() -> Encoder:
    path = find_weights()
    with path.open("rb") as file:
        # A pickle: the digest is checked before anything of it is loaded.
        if hashlib.file_digest(file, "sha256").hexdigest() != SHA256:
            raise ConfigError(f"{path}: not the weights of {PACKAGE}; install it again")
    state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    encoder = Encoder()
    # The file also holds the scale and bias of the loss, which only training needs.
    encoder.load_state_dict({name: state[name] for name in encoder.state_dict()})
    return encoder.eval()
