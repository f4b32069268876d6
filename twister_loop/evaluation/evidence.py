"""Development and retention results that gates decide by; never test sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..core.types import ErrorCount, Measure, Score, Seconds, SetKind
from .measures import find_common_measure

Decoding = Literal["clip", "standard"]
"""Decodings that a report has scores of: `clip` is each clip in its own context, as the loop
decodes; `standard` is 30 s windows with timestamps, as other tools decode."""


IN_DECODING: dict[Decoding, str] = {"clip": "", "standard": " in standard decoding"}
"""Added to a place in sentences, where it is not our own decoding."""


@dataclass(frozen=True)
class SetSize:
    """Amount of reference text in a held-out set."""

    kind: SetKind
    measure: Measure
    """Measure that the set is read by."""
    tokens: Mapping[Decoding, Mapping[Measure, int]]
    """Tokens of the references by decoding, which may be of a part of the set, and by measure."""


@dataclass(frozen=True)
class Outcome:
    """Score of one checkpoint on one set, with the error counts of every utterance."""

    score: Score
    words: Sequence[ErrorCount]
    characters: Sequence[ErrorCount]
    mixed: Sequence[ErrorCount]
    """Errors of the mixed error rate (MER): unspaced scripts by character, all else by word."""
    groups: Sequence[str]
    """Speaker, recording or utterance of each utterance; the bootstrap draws groups whole."""
    resampling_unit: str = "utterances"
    """What the groups are: `speakers`, `recordings` or `utterances`."""
    seconds: Seconds | None = None
    """Wall-clock time of decoding the set; None if it was interrupted."""
    hypotheses: Sequence[str] = ()
    """Normalized transcripts."""

    def counts(self, measure: Measure | None = None) -> Sequence[ErrorCount]:
        """Return the errors of every utterance by a measure; None takes that of the set."""
        by_measure = {"words": self.words, "characters": self.characters, "mixed": self.mixed}
        return by_measure[measure or self.score.measure]


@dataclass(frozen=True)
class PooledCounts:
    """Errors of every utterance of several sets, as if they were one set."""

    measure: Measure
    candidate: Sequence[ErrorCount]
    champion: Sequence[ErrorCount]
    groups: Sequence[str]
    """Set, and speaker, recording or utterance, of every utterance."""


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
    standard: Evidence | None = None
    """The same sets, or a part of each, in standard decoding; None if the recognizer has no other
    decoding than its own."""

    def decoded(self, decoding: Decoding) -> Evidence:
        """Return the outcomes of a decoding."""
        return self.standard if decoding == "standard" and self.standard else self

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

    def pool_development_counts(self, measure: Measure | None = None) -> PooledCounts:
        """Return the utterances of all development sets as if they were one set.

        Args:
            measure: Errors to count; None takes the measure of the sets, or `mixed` if they
                differ, since errors per word and per character do not add up.
        """
        # Retention sets are left out: a gain is wanted in the domain that the loop adapts to.
        names = self.set_names("development")
        measure = measure or find_common_measure(
            self.candidate[name].score.measure for name in names
        )
        return PooledCounts(
            measure,
            candidate=[count for name in names for count in self.candidate[name].counts(measure)],
            champion=[count for name in names for count in self.champion[name].counts(measure)],
            # Two sets may use the same speaker name for different speakers.
            groups=[f"{name}/{group}" for name in names for group in self.candidate[name].groups],
        )
