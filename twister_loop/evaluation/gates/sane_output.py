"""Gate that rejects a candidate that hallucinates more, though its error rate may be fine.

Every symptom is compared with the champion's on the same set, since some sets have it by nature,
such as repeated digits in telephone numbers; and with the untouched model's, since a rise below the
limit in every round adds up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...core.ranges import Fraction
from ...core.types import UNITS, Objection, Proportion, Score, Share
from ..evidence import IN_DECODING, Decoding, Evidence
from ._base import Gate


@dataclass(frozen=True)
class SaneOutput(Gate):
    """Gate against candidates that hallucinate, repeat themselves or return nothing more often."""

    # Absolute, since most symptoms are absent in a good champion and any rise would be infinite.
    at_most: Fraction = 0.02
    """Largest rise of a share on any set, over the champion and over the untouched model, absolute
    (0.02 is 2 points): insertions per reference
    word or character, by the measure of the set; repeated 5-grams; letters of a foreign script;
    empty transcripts; and transcripts cut off at the length limit."""
    decoding: Decoding = "clip"
    """Scores to read: `clip` (each clip in its own context) or `standard` (30 s windows with
    timestamps, as other tools decode)."""
    sets: tuple[str, ...] = ()
    """Names of the sets to look at; all if empty."""

    def objection(self, evidence: Evidence) -> Objection | None:
        evidence = evidence.decoded(self.decoding)
        reasons = [
            f"{name}{IN_DECODING[self.decoding]}: {symptom} {before:.1%} -> {after:.1%}, limit "
            f"{100 * self.at_most:+.1f} points over the {model}"
            for name in evidence.set_names(only=self.sets)
            for (symptom, champion), (_, untouched), (_, after) in zip(
                _symptoms(evidence.champion[name].score),
                _symptoms(evidence.untouched[name].score),
                _symptoms(evidence.candidate[name].score),
                strict=True,
            )
            # The lower of the two decides.
            for before, model in [min((champion, "champion"), (untouched, "untouched model"))]
            if after - before > self.at_most
        ]
        return Objection(self.name, "; ".join(reasons)) if reasons else None


def _symptoms(score: Score) -> Iterator[tuple[str, Share]]:
    yield f"inserted {UNITS[score.measure]}", score.count().insertion_rate
    yield "repeated 5-grams", score.repeated_ngrams.share
    yield "letters of a foreign script", score.foreign_script.share
    yield "empty transcripts", Proportion(score.empty, score.utterances).share
    yield (
        "transcripts cut off at the length limit",
        Proportion(score.hit_limit, score.utterances).share,
    )
