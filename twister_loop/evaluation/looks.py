"""Levels of repeated looks at the same development sets.

Every candidate that is judged on a set is one more look at it, and each look is one more chance to
take luck for a gain. So the permitted error is spent over the looks (alpha spending): look k gets
the share 6/(pi k)^2 of it. These shares add up to one, so the chance that a run ever takes a model
for better than the untouched one is at most the permitted error, for any number of rounds and
however the candidates depend on each other (Bonferroni's bound). The first looks get most, since a
run that finds a gain at all mostly finds it there; BENCHMARKS.md compares this with other sequences
and with a second half that confirms.
"""

from __future__ import annotations

import math

from ..core.types import Share


def level_at_look(level: Share, look: int) -> Share:
    """Return the confidence that one look needs, so that all looks together keep a level.

    Args:
        level: Confidence over all looks, such as 0.95.
        look: Number of the look, from 1: candidates judged on this set so far, this one included.

    >>> [round(level_at_look(0.95, look), 4) for look in (1, 2, 10)]
    [0.9696, 0.9924, 0.9997]
    """
    return 1 - (1 - level) * 6 / (math.pi * look) ** 2
