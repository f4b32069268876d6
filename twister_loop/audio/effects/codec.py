"""Send it through a lossy codec, by the encoders that libsndfile has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .. import io as audio
from ..io import Samples
from ._base import Effect

Codec = Literal["gsm", "opus", "vorbis", "mp3", "adpcm"]
KNOWN = {
    "gsm": ("WAV", "GSM610", 8_000),
    "opus": ("OGG", "OPUS", 16_000),
    "vorbis": ("OGG", "VORBIS", 16_000),
    "mp3": ("MP3", "MPEG_LAYER_III", 16_000),
    "adpcm": ("WAV", "MS_ADPCM", 8_000),
}
"""Format and kind as libsndfile names them, and hertz: mobile phones (GSM 06.10), calls over the
internet, archives, and answering machines."""


@dataclass(frozen=True)
class CodecEffect(Effect):
    codecs: tuple[Codec, ...] = ("gsm", "opus", "vorbis", "mp3")
    """One of these is drawn."""

    def __post_init__(self) -> None:
        if not self.codecs:
            raise ValueError("codecs: at least one")

    def apply(self, samples: Samples, rng: np.random.Generator) -> Samples:
        return audio.encode_and_decode(
            samples, *KNOWN[self.codecs[int(rng.integers(len(self.codecs)))]]
        )
