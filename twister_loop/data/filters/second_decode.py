"""Drop speech that the champion hears otherwise when it decodes otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...asr._base import Recognizer
from ...core.errors import ConfigError
from ...core.types import Utterance
from ._base import FilterContext
from ._second_opinion import SecondOpinion


@dataclass(frozen=True)
class SecondDecode(SecondOpinion):
    beam: int = 5
    """Texts that the second decode goes on with; OpenAI Whisper's own number."""
    temperature: float = 0.0
    """At which tokens are drawn instead, with a beam of 1: what is unsure then changes."""

    def __post_init__(self) -> None:
        if self.beam < 1 or self.temperature < 0:
            raise ValueError("beam: must be 1 at least; temperature: not below 0")
        if (self.beam == 1) == (self.temperature == 0):
            raise ValueError("beam or temperature: the second decode must differ by one of them")

    def check(self, asr: Recognizer) -> None:
        other = asr.with_beam(self.beam, self.temperature)
        if other is None or other == asr:
            asked = f"temperature {self.temperature:g}" if self.temperature else f"beam {self.beam}"
            why = f"decodes with {asked} already" if other else f"cannot decode with {asked}"
            raise ConfigError(f"second_decode: {asr.name} {why}; choose other options of it")

    def transcribe_again(
        self, speech: Iterable[Utterance], witnesses: FilterContext
    ) -> Iterator[Utterance]:
        champion = witnesses.champion
        other = champion.recognizer.with_beam(self.beam, self.temperature)
        assert other, "`check` was not asked"
        return other.transcribe(champion.checkpoint, speech)
