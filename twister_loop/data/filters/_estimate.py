"""Base class of the filters that measure a property of the audio."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from ...audio import io as audio
from ...core.errors import AudioError
from ...core.types import Utterance
from ._base import Filter, FilterContext


@dataclass(frozen=True)
class AudioEstimate(Filter):
    """A filter on a property that the scan may have estimated already.

    Reads the field of the utterance that has the filter's name. If the field is None, the filter
    loads the audio and estimates the property itself. Audio that cannot be read is dropped.
    """

    # Not for the context, but because reading audio is slow: windows can then be resumed.
    needs_context: ClassVar[bool] = True
    at_least: float

    @abstractmethod
    def estimate(self, samples: audio.Samples) -> float:
        """Return the property of some samples, shape (n_samples,) at 16 kHz."""

    @abstractmethod
    def describe(self, estimate: float) -> str:
        """Return an estimate with its unit, to begin an objection with."""

    def objection(self, utterance: Utterance) -> str | None:
        # The scan's estimate is of the same audio, and it serves all filters of all rounds.
        estimate: float | None = getattr(utterance, self.name)
        if estimate is None:
            try:
                estimate = self.estimate(audio.load_utterance(utterance))
            except AudioError as error:
                return str(error)
        if estimate >= self.at_least:
            return None
        return f"{self.describe(estimate)} < {self.at_least:g}"

    def objections(
        self, utterances: Iterable[Utterance], context: FilterContext
    ) -> Iterator[str | None]:
        # Loading the audio of utterances that an earlier filter rejected would be wasted time.
        return (
            None if utterance.should_skip else self.objection(utterance) for utterance in utterances
        )
