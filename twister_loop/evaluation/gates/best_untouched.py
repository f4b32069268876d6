"""Refuse a candidate that one of the untouched models of the plan beats on a development set.

The champion's own origin is one of them; others are named under `references` in the plan. A mean
over sets hides it: in Twister's own table (arXiv 2506.11130) the refined model wins almost
everywhere, and loses FormosaSpeech to an untouched large-v3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .. import metrics
from ..evidence import Evidence, Outcome
from ._noninferiority import NonInferiority


@dataclass(frozen=True)
class BestUntouched(NonInferiority):
    kinds = ("development",)

    def baseline(self, evidence: Evidence) -> Mapping[str, Outcome]:
        models = [evidence.untouched, *evidence.references.values()]
        return {
            name: min(
                (outcomes[name] for outcomes in models),
                key=lambda each: metrics.sum_counts(each.counts(self.measure)).rate,
            )
            for name in evidence.set_names(*self.kinds, among=self.sets)
        }
