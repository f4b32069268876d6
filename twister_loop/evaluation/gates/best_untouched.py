"""Gate that rejects a candidate if an untouched model is better on a development set.

The untouched models are the one that the run started from, and those under `references` in the
plan. A mean over sets hides such a loss: in Twister's own table (arXiv 2506.11130) the refined
model wins on almost every set, but loses FormosaSpeech to an untouched large-v3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .. import metrics
from ..evidence import Evidence, Outcome
from ._noninferiority import NonInferiority


@dataclass(frozen=True)
class BestUntouched(NonInferiority):
    """Gate against candidates that are worse than the best untouched model on some set."""

    # Retention sets have a gate of their own, with the run's own untouched model as baseline.
    kinds = ("development",)

    def baseline(self, evidence: Evidence) -> Mapping[str, Outcome]:
        models = [evidence.untouched, *evidence.references.values()]
        # Per set, since another model may be the best on each.
        return {
            name: min(
                (outcomes[name] for outcomes in models),
                key=lambda outcome: metrics.sum_counts(outcome.counts(self.measure)).rate,
            )
            for name in evidence.set_names(*self.kinds, only=self.sets)
        }
