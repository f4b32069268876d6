"""Development and retention results that gates decide by; never test sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..core.types import ErrorCount, Score, Seconds, SetKind

Measure = Literal["words", "characters", "mixed"]
"""Error rates: word (WER), character (CER) and mixed error rate (MER)."""


@dataclass(frozen=True)
class Outcome:
    """Score of one checkpoint on one set, with the error counts of every utterance."""

    score: Score
    words: Sequence[ErrorCount]
    characters: Sequence[ErrorCount]
    mixed: Sequence[ErrorCount]
    """Errors of the mixed error rate (MER): Han characters and kana singly, all else by word."""
    groups: Sequence[str]
    """Speaker, recording or utterance of each utterance; the bootstrap draws groups whole."""
    resampling_unit: str = "utterances"
    """What the groups are: `speakers`, `recordings` or `utterances`."""
    seconds: Seconds | None = None
    """Wall-clock time of decoding the set; None if it was interrupted."""
    hypotheses: Sequence[str] = ()
    """Normalized transcripts."""

    def counts(self, measure: Measure) -> Sequence[ErrorCount]:
        return {"words": self.words, "characters": self.characters, "mixed": self.mixed}[measure]


@dataclass(frozen=True)
class Evidence:
    """Outcomes by set that gates may look at: development and retention sets, never test sets."""

    untouched: Mapping[str, Outcome]
    champion: Mapping[str, Outcome]
    candidate: Mapping[str, Outcome]
    seed: int
    references: Mapping[str, Mapping[str, Outcome]] = field(default_factory=dict)
    """Outcomes of other untouched models, by their names in the plan."""
    # Decoding every development set once more takes minutes, so it is done on request only.
    labeler: Mapping[str, Outcome] = field(default_factory=dict)
    """Outcomes of the candidate's weights in the plan's labeler, on development sets; empty unless
    a gate needs it."""

    def set_names(self, *kinds: SetKind, only: Sequence[str] = ()) -> list[str]:
        """Return the names of the candidate's sets.

        Args:
            *kinds: Kinds of sets to return; all kinds if none is named.
            only: Names of sets to return; all sets if empty.
        """
        return [
            name
            for name, outcome in self.candidate.items()
            if (not kinds or outcome.score.kind in kinds) and (not only or name in only)
        ]

    def pool_development_counts(
        self, measure: Measure
    ) -> tuple[list[ErrorCount], list[ErrorCount], list[str]]:
        """Return the utterances of all development sets as if they were one set.

        Returns:
            Counts of the candidate, counts of the champion, and the group of every utterance.
        """
        # Retention sets are left out: a gain is wanted in the domain that the loop adapts to.
        names = self.set_names("development")
        return (
            [count for name in names for count in self.candidate[name].counts(measure)],
            [count for name in names for count in self.champion[name].counts(measure)],
            # Two sets may use the same speaker name for different speakers.
            [f"{name}/{group}" for name in names for group in self.candidate[name].groups],
        )
