"""Arms whose pool grows: its recordings arrive in parts, and every round has those so far."""

from __future__ import annotations

from dataclasses import replace

from ...data.corpora._parts import ArrivedParts
from ..plan import Plan


def with_growing_pool(plan: Plan, parts: int) -> Plan:
    """Return the plan with a pool that arrives in parts, one before each round."""
    # Every corpus in parts, and not one corpus a part: all speakers are there from the first round.
    pool = tuple(ArrivedParts(corpus, parts, arrived=parts) for corpus in plan.pool)
    return replace(plan, pool=pool, rounds=parts)


def plan_of_round(arm: Plan, number: int) -> Plan:
    """Return the plan of one round of an arm, in which a growing pool has arrived so far.

    Args:
        arm: Plan of the arm.
        number: Number of the round, from 1.
    """
    pool = tuple(
        # All of it is the corpus itself: the last round has the same pool as other arms.
        (corpus.corpus if number >= corpus.parts else replace(corpus, arrived=number))
        if isinstance(corpus, ArrivedParts)
        else corpus
        for corpus in arm.pool
    )
    return replace(arm, pool=pool)
