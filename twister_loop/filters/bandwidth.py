"""Drop speech whose high frequencies are missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from .. import audio
from ..errors import AudioError
from ..parts import Filter, Witnesses
from ..records import Hertz, Utterance


@dataclass(frozen=True)
class Bandwidth(Filter):
    asks: ClassVar[bool] = True
    at_least: Hertz = 3_000.0
    """Up to which there must be sound: a telephone gives some 3400, a whole recording at 16 kHz
    nearly 8000, beyond which nothing here hears. Read where `scan` has estimated it."""

    def objection(self, utterance: Utterance) -> str | None:
        hertz = utterance.bandwidth
        if hertz is None:
            try:
                hertz = audio.bandwidth(audio.of(utterance))
            except AudioError as error:
                return str(error)
        return None if hertz >= self.at_least else f"up to {hertz:.0f} Hz < {self.at_least:g}"

    def objections(self, speech: Iterable[Utterance], witnesses: Witnesses) -> Iterator[str | None]:
        return (None if each.error else self.objection(each) for each in speech)
