"""Filter on the agreement with a second decoding by the model that transcribed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from ...asr._base import Recognizer
from ...core.errors import ConfigError
from ...core.ranges import Range
from ...core.types import Utterance
from ._base import FilterContext
from ._second_opinion import SecondOpinion


@dataclass(frozen=True)
class SecondDecode(SecondOpinion):
    """Drops speech whose transcript changes if the same model decodes it in another way.

    The second decoding is a beam search, or sampling at a temperature.
    """

    beam: Annotated[int, Range(1, 100)] = 5
    """Beam size of the second decoding; 5 is OpenAI Whisper's own. Set it to 1 for sampling."""
    temperature: Annotated[float, Range(0, 10)] = 0.0
    """Sampling temperature of the second decoding, with `beam: 1`: uncertain words then change.
    0 does not sample."""

    def __post_init__(self) -> None:
        if (self.beam == 1) == (self.temperature == 0):
            raise ValueError("beam or temperature: the second decode must differ by one of them")

    def check(self, asr: Recognizer) -> None:
        second = asr.with_beam(self.beam, self.temperature)
        # An equal decoding would always agree, and the filter would drop nothing.
        if second is None or second == asr:
            setting = (
                f"temperature {self.temperature:g}" if self.temperature else f"beam {self.beam}"
            )
            problem = "decodes" if second else "cannot decode"
            already = " already" if second else ""
            raise ConfigError(
                f"second_decode: {asr.name} {problem} with {setting}{already}; choose another "
                "beam or temperature"
            )

    def transcribe_again(
        self, utterances: Iterable[Utterance], context: FilterContext
    ) -> Iterator[Utterance]:
        labeler = context.labeler or context.champion
        second = labeler.recognizer.with_beam(self.beam, self.temperature)
        assert second, "`check` refuses recognizers that cannot decode this way"
        return second.transcribe(labeler.checkpoint, utterances)
