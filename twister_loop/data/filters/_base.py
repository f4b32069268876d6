"""What a filter is to the rest of the house."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from ...asr._base import BoundRecognizer, Recognizer
from ...core.manifest import Manifest
from ...core.registry import Part
from ...core.types import Utterance


@dataclass(frozen=True)
class FilterContext:
    """Whom a filter may ask."""

    champion: BoundRecognizer
    last_labels: Manifest | None = None
    """The labels of the last round; None in the first, and for what is no pool."""


class Filter(Part):
    """Objects to an utterance."""

    home = "twister_loop.data.filters"
    needs_word_times: ClassVar[bool] = False
    """Whether it has to know when each word of the text is said."""
    needs_context: ClassVar[bool] = False
    """Whether it listens, or asks who has listened: it takes a while, and gets its witnesses."""

    @abstractmethod
    def objection(self, utterance: Utterance) -> str | None:
        """Why this utterance must be dropped, or None to keep it."""

    def objections(
        self, utterances: Iterable[Utterance], context: FilterContext
    ) -> Iterator[str | None]:
        """The same for many, in order; it reads ahead no further than a window.

        Utterances that engines skip (`Utterance.should_skip`) are rejected already: any answer will
        do for them.
        """
        return map(self.objection, utterances)

    def fit(self, manifest: Manifest) -> Self:
        """The same filter, knowing the corpus it is about to judge."""
        return self

    def check(self, asr: Recognizer) -> None:
        """Look, before a round begins, for what it needs. Raises ConfigError."""
