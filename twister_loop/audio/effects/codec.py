"""Lossy codecs of telephones, calls over the internet and archives, encoded by libsndfile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .. import io as audio
from ..io import Samples
from ._base import Effect

Codec = Literal["gsm", "opus", "vorbis", "mp3", "adpcm"]
CODECS = {
    "gsm": ("WAV", "GSM610", 8_000),
    "opus": ("OGG", "OPUS", 16_000),
    "vorbis": ("OGG", "VORBIS", 16_000),
    "mp3": ("MP3", "MPEG_LAYER_III", 16_000),
    "adpcm": ("WAV", "MS_ADPCM", 8_000),
}
"""Container and codec as libsndfile names them, and sample rate in hertz: mobile phones (GSM
06.10), calls over the internet, archives, and answering machines."""


@dataclass(frozen=True)
class CodecEffect(Effect):
    codecs: tuple[Codec, ...] = ("gsm", "opus", "vorbis", "mp3")
    """Codecs, one of which is drawn for each utterance."""

    def __post_init__(self) -> None:
        if not self.codecs:
            raise ValueError("codecs: name one at least")

    def apply(self, samples: Samples, rng: np.random.Generator) -> Samples:
        # By index: `rng.choice` would return a NumPy string.
        codec = self.codecs[int(rng.integers(len(self.codecs)))]
        container, subtype, rate = CODECS[codec]
        return audio.encode_and_decode(samples, container, subtype, rate)
