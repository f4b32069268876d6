"""How a speaker sounds, as 256 numbers: by the weights in the package Resemblyzer.

The voice encoder of Resemblyzer 0.1.4 (Corentin Jemine, Resemble AI; Apache-2.0), trained by the
loss of Wan et al., arXiv 1710.10467. Only its weights are read: its code wants webrtcvad, which
must be compiled, to cut silence that a pool has lost already. The numbers are the same; a test
compares them with its own.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..core.errors import ConfigError
from ..core.types import Seconds
from .io import SAMPLE_RATE, Samples

PACKAGE = "Resemblyzer==0.1.4"
SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
"""Of its `pretrained.pt`."""
SIZE = 256
"""Numbers of an embedding; also the width of the encoder."""
MELS = 40
FRAME, HOP = 400, 160
"""Samples of a spectrum and between two: 25 and 10 ms."""
WINDOW = 160
"""Frames that the encoder hears at once, 1.6 s; what is shorter is mostly padding."""
STEP = 77
"""Frames between windows: 1.3 of them a second."""
COVERED = 0.75
"""Part of the last window that must be speech, unless it is the only one."""
LOUD = -30.0
"""Decibels below full scale to which quieter speech is raised."""
MIN_DURATION: Seconds = WINDOW * HOP / SAMPLE_RATE

Embedding = NDArray[np.float32]
"""Shape (256,), of length 1, nothing below 0: the cosine of two is their product."""


class Encoder(nn.Module):
    """Three LSTM layers and a projection, as the weights have them."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(MELS, SIZE, 3, batch_first=True)
        self.linear = nn.Linear(SIZE, SIZE)

    def forward(self, mels: torch.Tensor) -> torch.Tensor:
        """(windows, frames, mels) -> (windows, 256), each of length 1."""
        _, (hidden, _) = self.lstm(mels)
        raw = torch.relu(self.linear(hidden[-1]))
        return nn.functional.normalize(raw)


def embed(samples: Samples) -> Embedding:
    """The embedding of one speaker's speech, mono at 16 kHz. Raises ConfigError without weights."""
    level = 20 * np.log10(np.sqrt(np.mean(np.square(samples, dtype=np.float64))) + 1e-10)
    louder = samples * np.float32(10 ** (max(0.0, LOUD - level) / 20))
    begins = _begins(len(samples))
    padded = np.pad(louder, (0, max(0, (begins[-1] + WINDOW) * HOP - len(louder))))
    spectrum = librosa.feature.melspectrogram(
        y=padded, sr=SAMPLE_RATE, n_fft=FRAME, hop_length=HOP, n_mels=MELS
    ).T  # (frames, mels)
    mels = np.stack([spectrum[begin : begin + WINDOW] for begin in begins]).astype(np.float32)
    with torch.inference_mode():
        mean = _encoder()(torch.from_numpy(mels)).numpy().mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


def _begins(samples: int) -> list[int]:
    """Frames at which windows begin."""
    frames = -(-(samples + 1) // HOP)
    begins = list(range(0, max(1, frames - WINDOW + STEP + 1), STEP))
    spoken = samples / HOP - begins[-1]
    return begins[:-1] if len(begins) > 1 and spoken < COVERED * WINDOW else begins


def encode_embedding(embedding: Embedding) -> str:
    """As a line of a manifest keeps it: a byte for every number, in base64."""
    steps = np.round(embedding / embedding.max() * 255).astype(np.uint8)
    return base64.b64encode(steps.tobytes()).decode()


def decode_embedding(note: str) -> Embedding:
    """Back from a line; what was rounded away moves the cosine of two by less than 0.001."""
    steps = np.frombuffer(base64.b64decode(note), np.uint8).astype(np.float32)
    return np.asarray(steps / np.linalg.norm(steps), np.float32)


def find_weights() -> Path:
    """Where they are. Raises ConfigError."""
    spec = find_spec("resemblyzer")  # never imported
    path = Path(spec.origin or "").with_name("pretrained.pt") if spec else Path()
    if not path.is_file():
        raise ConfigError(
            "telling speakers apart needs the weights in a package whose other needs it does "
            f"not: pip install --no-deps {PACKAGE}"
        )
    return path


@cache
def _encoder() -> Encoder:
    path = find_weights()
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != SHA256:
            raise ConfigError(f"{path}: not the weights of {PACKAGE}; install it again")
    state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    encoder = Encoder()
    own = encoder.state_dict()
    encoder.load_state_dict({name: state[name] for name in own})
    return encoder.eval()
