"""The interface of a filter, and the context that some filters need."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from ...asr._base import BoundRecognizer, Recognizer, WeightsStatus
from ...core.manifest import Manifest
from ...core.registry import Part
from ...core.types import Utterance


@dataclass(frozen=True)
class FilterContext:
    """The models and labels that filters with `needs_context` may use."""

    # A record and not arguments, so that a filter of a user needs no change when a field is added.
    champion: BoundRecognizer
    """The current champion, with its weights."""
    last_labels: Manifest | None = None
    """The labels of the last round; None in the first round, and for speech that is no pool."""
    labeler: BoundRecognizer | None = None
    """The model whose transcripts are filtered: a teacher's, if the plan has one and they are
    labels of the pool. None is the champion."""


class Filter(Part):
    """A rule that drops utterances, named in a plan under `filters:`.

    To add a filter, write a frozen dataclass that implements `objection`. Its fields are the
    options that a plan may set:

    >>> @dataclass(frozen=True)
    ... class Shouting(Filter):
    ...     at_most: float = 0.5  # share of capital letters, from 0 to 1
    ...
    ...     def objection(self, utterance: Utterance) -> str | None:
    ...         text = utterance.text or ""
    ...         share = sum(map(str.isupper, text)) / max(len(text), 1)
    ...         return None if share <= self.at_most else f"{share:.0%} are capitals"
    >>> Shouting().objection(Utterance(id="1", text="HELLO"))
    '100% are capitals'

    A filter that runs a model overrides `objections` instead, and sets `needs_context`.
    """

    package = "twister_loop.data.filters"
    needs_word_times: ClassVar[bool] = False
    """True if the filter reads `Utterance.words`; speech is then aligned before filtering."""
    needs_context: ClassVar[bool] = False
    """True if the filter uses the `FilterContext` or is slow. Filtering is then split into
    windows that a killed run resumes after, and may run on a cluster."""

    def find_weights(self) -> WeightsStatus | None:
        """Find the pretrained weights of its own without downloading them; None if it has none."""
        return None

    def unsupported_reason(self) -> Callable[[Utterance], str | None] | None:
        """Return a function that tells why a model of its own cannot transcribe an utterance.

        It looks at the duration and the language, reads no audio and fetches no weights. A round
        does not begin if its whole pool is unsupported. None, the default, is for a filter without
        such a model, or with one of which nothing is known yet.
        """
        return None

    @abstractmethod
    def objection(self, utterance: Utterance) -> str | None:
        """Return why an utterance is dropped.

        Args:
            utterance: One utterance without an `error`.

        Returns:
            One sentence for `Utterance.objection`, with the measured value and the limit; None
            if the utterance is kept.
        """

    def objections(
        self, utterances: Iterable[Utterance], context: FilterContext
    ) -> Iterator[str | None]:
        """Yield the objection to each of many utterances, in order.

        Override it to process utterances in batches or to run a model.

        Args:
            utterances: Any number of utterances; read no further ahead than one window
                (`core.manifest.WINDOW`), so that a killed run repeats no more than that.
            context: The champion, and the labels of the last round.

        Yields:
            One answer for every utterance, as from `objection`. Utterances that engines skip
            (`Utterance.should_skip`) are rejected already: any answer will do for them.

        Raises:
            EngineError: A model failed.
        """
        # Lazy, as every override must be: a manifest may be too long for memory.
        return map(self.objection, utterances)

    def fit(self, manifest: Manifest) -> Self:
        """Return this filter with its thresholds adapted to a corpus.

        Args:
            manifest: All utterances that are about to be filtered.

        Returns:
            A filter of the same class; this one itself if it adapts nothing.
        """
        return self

    def _with_fitted(self, **thresholds: Any) -> Self:
        """Return a copy with attributes that were learned from a corpus; they are no options."""
        fitted = copy(self)
        for name, threshold in thresholds.items():
            object.__setattr__(fitted, name, threshold)  # part of making it, though it is frozen
        return fitted

    def in_round(self, number: int) -> Self:
        """Return this filter as it is in a round, counted from 1; most are the same in all.

        The stage that filters is given this one, so its options say what was done.
        """
        return self

    def check(self, asr: Recognizer) -> None:
        """Check before a round begins that the filter can run with this recognizer.

        Args:
            asr: The recognizer whose transcripts are filtered: the plan's, or its teacher.

        Raises:
            ConfigError: The filter needs something that the recognizer or the machine lacks.
        """
