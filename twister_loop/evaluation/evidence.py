"""Development and retention results that gates decide by; never test sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ..core.types import ErrorCount, Measure, Score, Seconds, SetKind, Share
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
    utterances: int
    seconds: Seconds = 0.0
    """Duration of the whole set; 0 if it is not known."""
    units: int = 0
    """Speakers, recordings or utterances, whose luck the gates draw; 0 if it is not known."""
    speakers: int = 0
    """Number of speakers; 0 if not every utterance names one."""
    error_rates: Mapping[Decoding, Mapping[Measure, Share]] = field(default_factory=dict)
    """Error rates of the untouched model; empty before they are measured."""


@dataclass(frozen=True)
class Outcome:
    """Score of one checkpoint on one set, with the error counts of every utterance."""

    score: Score
    words: Sequence[ErrorCount]
    characters: Sequence[ErrorCount]
    mixed: Sequence[ErrorCount]
    """Errors of the mixed error rate (MER): unspaced scripts by character, all else by word."""
    groups: Sequence[str]
    """Speaker, recording or utterance of each utterance, whose errors go together."""
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
    untouched: Sequence[ErrorCount]
    groups: Sequence[str]
    """Set, and speaker, recording or utterance, of every utterance."""
    resampling_unit: str
    """What the groups are."""


@dataclass(frozen=True)
class Evidence:
    """Outcomes by set that gates may look at: development and retention sets, never test sets."""

    untouched: Mapping[str, Outcome]
    champion: Mapping[str, Outcome]
    candidate: Mapping[str, Outcome]
    references: Mapping[str, Mapping[str, Outcome]] = field(default_factory=dict)
    """Outcomes of other untouched models, by their names in the plan."""
    # Decoding every development set once more takes minutes, so it is done on request only.
    labeler: Mapping[str, Outcome] = field(default_factory=dict)
    """Outcomes of the candidate's weights in the plan's labeler, on development sets; empty unless
    a gate needs it."""
    standard: Evidence | None = None
    """The same sets, or a part of each, in standard decoding; None if the recognizer has no other
    decoding than its own."""
    looks: Mapping[str, int] = field(default_factory=dict)
    """By set, the number of candidates of this run that were judged on it, this one included."""

    def decoded(self, decoding: Decoding) -> Evidence:
        """Return the outcomes of a decoding."""
        if decoding == "clip" or self.standard is None:
            return self
        # A look at a set is a look at all that was decoded of it.
        return replace(self.standard, looks=self.looks)

    def look(self, names: Sequence[str]) -> int:
        """Return the largest number of looks at any of some sets; 1 if none was counted."""
        return max((self.looks.get(name, 1) for name in names), default=1)

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

        def pool(outcomes: Mapping[str, Outcome]) -> list[ErrorCount]:
            return [count for name in names for count in outcomes[name].counts(measure)]

        return PooledCounts(
            measure,
            candidate=pool(self.candidate),
            champion=pool(self.champion),
            untouched=pool(self.untouched),
            # Two sets may use the same speaker name for different speakers.
            groups=[f"{name}/{group}" for name in names for group in self.candidate[name].groups],
            resampling_unit=" and ".join(
                sorted({self.candidate[name].resampling_unit for name in names})
            ),
        )
