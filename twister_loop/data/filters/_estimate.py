"""What filters share that go by how an utterance sounds."""

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
    """Goes by the column of its name, or, where `scan` has not estimated that, by the audio."""

    needs_context: ClassVar[bool] = True
    at_least: float

    @abstractmethod
    def estimate(self, samples: audio.Samples) -> float:
        """What the column would say of samples, (n_samples,) at 16 kHz."""

    @abstractmethod
    def describe(self, estimated: float) -> str:
        """An estimate, as the objection says it."""

    def objection(self, utterance: Utterance) -> str | None:
        estimated: float | None = getattr(utterance, self.name)
        if estimated is None:
            try:
                estimated = self.estimate(audio.load_utterance(utterance))
            except AudioError as error:
                return str(error)
        enough = estimated >= self.at_least
        return None if enough else f"{self.describe(estimated)} < {self.at_least:g}"

    def objections(
        self, utterances: Iterable[Utterance], context: FilterContext
    ) -> Iterator[str | None]:
        return (None if each.should_skip else self.objection(each) for each in utterances)
