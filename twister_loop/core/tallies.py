"""Amounts of speech that a stage kept, rejected or drew."""

from __future__ import annotations

from dataclasses import dataclass

from .artifacts import JsonRecord
from .types import Language, Seconds


@dataclass(frozen=True, slots=True)
class Tally:
    """Number of utterances and seconds of speech."""

    utterances: int = 0
    duration: Seconds = 0.0

    def add(self, duration: Seconds) -> Tally:
        """Return the tally with one more utterance."""
        # Rounded at every step: sums of floats would differ in their last digits.
        return self + Tally(1, duration)

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.utterances + other.utterances, round(self.duration + other.duration, 3))


@dataclass(frozen=True)
class Funnel(JsonRecord):
    """Amount of speech that a filtering kept, and that it rejected for each reason."""

    kept: Tally
    rejected: dict[str, Tally]
    """Amount by the name of the filter, or by `error`, `held_out_text`, `control_token`,
    `duplicate`; of the lists of inputs by the reasons that `data/corpora` gives, such as `no_audio`
    and `no_text`."""


NOTABLE_LOSS = 0.02
"""Part of the asked hours of a mixture whose loss is told; less is lost by drawing whole clips."""


@dataclass(frozen=True)
class MixtureSource:
    """Speech of one origin, language and corpus, which a mixture draws from."""

    origin: str
    """Origin of the texts, or `replay`, or `speechless`."""
    lang: Language | None = None
    corpus: str | None = None
    available: Tally = Tally()
    taken: Tally = Tally()
    asked: Seconds | None = None
    """Seconds that weights and temperatures ask for, before shares and caps; None in mixtures of
    earlier versions."""


@dataclass(frozen=True)
class MixtureContents(JsonRecord):
    """Sources of a mixture, with the amounts that were available and taken."""

    sources: tuple[MixtureSource, ...] = ()
