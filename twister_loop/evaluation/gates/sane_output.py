"""Refuse a candidate that hears what nobody said: an error rate may hide it, and users do not.

Each symptom is compared with the champion on the same set, since some sets have it by nature.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...core.types import Objection, Proportion, Score, Share
from ..evidence import Evidence
from ._base import Gate


@dataclass(frozen=True)
class SaneOutput(Gate):
    at_most: Share = 0.02
    """How much each share may rise, absolute, on any set: words inserted per reference word, runs
    of five that repeat themselves, letters of a foreign script, utterances without any output,
    and utterances cut off at the length limit."""
    sets: tuple[str, ...] = ()
    """Which to look at; all if none is named."""

    def objection(self, evidence: Evidence) -> Objection | None:
        said = [
            f"{name}: {symptom} {before:.1%} -> {after:.1%}"
            for name in evidence.set_names(among=self.sets)
            for (symptom, before), (_, after) in zip(
                _symptoms(evidence.champion[name].score),
                _symptoms(evidence.candidate[name].score),
                strict=True,
            )
            if after - before > self.at_most
        ]
        return Objection(self.name, "; ".join(said)) if said else None


def _symptoms(score: Score) -> Iterator[tuple[str, Share]]:
    yield "inserted words", score.words.insertion_rate
    yield "repeated runs", score.repeated_ngrams.share
    yield "letters of a foreign script", score.foreign_script.share
    yield "empty outputs", Proportion(score.empty, score.utterances).share
    yield "length limit reached", Proportion(score.hit_limit, score.utterances).share
