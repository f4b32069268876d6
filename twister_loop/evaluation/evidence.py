"""What a gate may look at, and what it may not: development and retention sets, no test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..core.types import ErrorCount, Score, Seconds, SetKind

Measure = Literal["words", "characters", "mixed"]


@dataclass(frozen=True)
class Outcome:
    """How one checkpoint did on one set: the score, and the counts of every utterance."""

    score: Score
    words: Sequence[ErrorCount]
    characters: Sequence[ErrorCount]
    mixed: Sequence[ErrorCount]
    groups: Sequence[str]
    """The speaker, recording or utterance that each belongs to; what belongs together is drawn
    together."""
    resampling_unit: str = "utterances"
    """What the groups are."""
    seconds: Seconds | None = None
    """What hearing the set took; None where it was interrupted."""
    hypotheses: Sequence[str] = ()
    """What was heard, normalized."""

    def counts(self, measure: Measure) -> Sequence[ErrorCount]:
        return {"words": self.words, "characters": self.characters, "mixed": self.mixed}[measure]


@dataclass(frozen=True)
class Evidence:
    """What a gate may look at: development and retention sets, never a test set."""

    untouched: Mapping[str, Outcome]
    champion: Mapping[str, Outcome]
    candidate: Mapping[str, Outcome]
    seed: int
    references: Mapping[str, Mapping[str, Outcome]] = field(default_factory=dict)
    """Other untouched models, by the names that the plan gives them."""
    labeler: Mapping[str, Outcome] = field(default_factory=dict)
    """The candidate on the development sets, heard by the plan's labeler; only where a gate asks
    for it."""

    def set_names(self, *kinds: SetKind, among: Sequence[str] = ()) -> list[str]:
        """Names of the sets of these kinds, and of those named; all where none is said."""
        return [
            name
            for name, each in self.candidate.items()
            if (not kinds or each.score.kind in kinds) and (not among or name in among)
        ]

    def pool_development_counts(self, measure: Measure) -> tuple[list[ErrorCount], list[ErrorCount], list[str]]:
        """The candidate's and the champion's counts on all development sets, and the groups."""
        names = self.set_names("development")
        return (
            [count for name in names for count in self.candidate[name].counts(measure)],
            [count for name in names for count in self.champion[name].counts(measure)],
            [f"{name}/{group}" for name in names for group in self.candidate[name].groups],
        )
