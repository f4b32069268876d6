"""Filter on the compression ratio of the transcript."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...core.ranges import Range
from ...core.types import Utterance
from ._base import Filter


@dataclass(frozen=True)
class Compression(Filter):
    """Drops transcripts that repeat themselves, found by how well they compress.

    An utterance without a compression ratio is kept.
    """

    at_most: Annotated[float, Range(above=0, high=1000)] = 2.4
    """Highest compression ratio: letters of the text over bytes of the zlib-compressed text, the
    same in every script. 2.4 is OpenAI Whisper's own threshold."""

    def objection(self, utterance: Utterance) -> str | None:
        ratio = utterance.compression_ratio
        # Not every engine reports the ratio; the other filters must then suffice.
        if ratio is None or ratio <= self.at_most:
            return None
        return f"compression ratio {ratio:.1f} > {self.at_most:g}"
