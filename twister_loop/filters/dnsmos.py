"""Drop speech of poor sound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from .. import audio, quality
from ..errors import AudioError
from ..parts import Filter, Witnesses
from ..records import Utterance


@dataclass(frozen=True)
class Dnsmos(Filter):
    asks: ClassVar[bool] = True
    at_least: float = 3.0
    """Overall quality (OVRL) as people would judge it, 1 to 5, estimated without a reference
    (DNSMOS P.835, arXiv 2110.01763); 3.0 is Emilia's. Read where `scan` has estimated it."""

    def objection(self, utterance: Utterance) -> str | None:
        score = utterance.dnsmos
        if score is None:
            try:
                score = quality.dnsmos(audio.of(utterance))
            except AudioError as error:
                return str(error)
        return None if score >= self.at_least else f"DNSMOS {score:.2f} < {self.at_least:g}"

    def objections(self, speech: Iterable[Utterance], witnesses: Witnesses) -> Iterator[str | None]:
        return (None if each.error else self.objection(each) for each in speech)
