"""Drop what compresses as only endless repetition does."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.types import Utterance
from ._base import Filter


@dataclass(frozen=True)
class Compression(Filter):
    at_most: float = 2.4
    """Bytes of the text over its zlib'd bytes; 2.4 is OpenAI Whisper's own threshold."""

    def objection(self, utterance: Utterance) -> str | None:
        ratio = utterance.compression_ratio
        if ratio is None or ratio <= self.at_most:
            return None
        return f"compression ratio {ratio:.1f} > {self.at_most:g}"
