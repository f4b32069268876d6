"""Gate that rejects a candidate that may have forgotten what the untouched model could do.

The baseline is the untouched model and not the champion. Otherwise every round could lose a little
and stay within the limit, and many rounds would lose everything. Development sets are held against
it too, each by itself: their sum, in which a gain is looked for, can hide the loss of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..evidence import Evidence, Outcome
from ._noninferiority import NonInferiority


@dataclass(frozen=True)
class Retention(NonInferiority):
    """Gate against candidates that may be worse than the untouched model on some set."""

    def baseline(self, evidence: Evidence) -> Mapping[str, Outcome]:
        return evidence.untouched
