"""Error rates of all arms of a comparison, with their differences and intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ...core.types import Measure, Report, TermCount
from ...evaluation import metrics
from ...evaluation.evidence import Decoding, Outcome
from ...evaluation.outcomes import load_outcomes
from ...evaluation.pooling import SET_KINDS
from ...evaluation.scoreboard import DECODINGS, MEASURES
from ...text.normalizers._base import Normalizer
from .arms import FULL_LOOP, SUPERVISED, UNTOUCHED
from .comparison import ArmScore
from .intervals import ArmErrors, Groupings, estimate_difference, estimate_gap_share, index_groups

SetOutcomes = Mapping[str, Sequence[Outcome]]
"""Outcomes of one set by arm, one for every seed."""


def score_arms(
    untouched: Path, reports: Mapping[str, Sequence[Path]], normalizer: Normalizer
) -> Iterator[ArmScore]:
    """Yield the scores of the untouched model and all arms, set by set, in both decodings.

    Args:
        untouched: Report of the untouched model. Decoding is deterministic, so it has no seeds.
        reports: Reports by arm, one for every seed that was trained.
        normalizer: Normalizer of the plan.
    """
    # Once for the untouched model: to repeat it would pretend that its luck is known.
    folders = {UNTOUCHED: [untouched], **reports}
    for decoding in DECODINGS:
        outcomes = {
            arm: [
                load_outcomes(Report.load(folder), normalizer, SET_KINDS, decoding)
                for folder in arm_folders
            ]
            for arm, arm_folders in folders.items()
        }
        for set_name in outcomes[UNTOUCHED][0]:
            by_arm = {arm: [sets[set_name] for sets in seeds] for arm, seeds in outcomes.items()}
            yield from _score_set(set_name, decoding, by_arm)


def _score_set(set_name: str, decoding: Decoding, outcomes: SetOutcomes) -> Iterator[ArmScore]:
    """Yield the scores of all arms on one set in one decoding, the untouched model first."""
    first = outcomes[UNTOUCHED][0]
    measure = first.score.measure
    errors = {
        arm: stack_errors(seeds, measure, is_trained=arm != UNTOUCHED)
        for arm, seeds in outcomes.items()
    }
    untouched, full_loop, ceiling = (errors.get(arm) for arm in (UNTOUCHED, FULL_LOOP, SUPERVISED))
    assert untouched
    groupings = group_utterances(first)
    for arm, arm_errors in errors.items():
        is_untouched = arm_errors is untouched
        yield ArmScore(
            arm=arm,
            set_name=set_name,
            decoding=decoding,
            utterances=len(first.groups),
            measure=measure,
            # By every measure, since others publish one or the other.
            errors={
                counted: metrics.sum_counts(
                    [count for outcome in outcomes[arm] for count in outcome.counts(counted)]
                )
                for counted in MEASURES
            },
            term_count=_add_terms(outcomes[arm]),
            rate_by_seed=tuple(float(rate) for rate in arm_errors.rates),
            change=(
                None if is_untouched else estimate_difference(arm_errors, untouched, groupings)
            ),
            full_loop_difference=(
                estimate_difference(full_loop, arm_errors, groupings)
                if full_loop and full_loop is not arm_errors
                else None
            ),
            gap_closed=(
                estimate_gap_share(arm_errors, untouched, ceiling, groupings)
                if ceiling and not is_untouched
                else None
            ),
        )


def _add_terms(seeds: Sequence[Outcome]) -> TermCount | None:
    """Return recall of terms and errors on other words over all seeds; None without terms."""
    counts = [outcome.score.term_count for outcome in seeds if outcome.score.term_count]
    return sum(counts, TermCount()) if counts else None


def group_utterances(outcome: Outcome) -> Groupings:
    """Return what intervals draw: utterances, and speakers where they are known."""
    # The wider interval of the two holds.
    return [np.arange(len(outcome.groups)), index_groups(outcome.groups)]


def stack_errors(seeds: Sequence[Outcome], measure: Measure, *, is_trained: bool) -> ArmErrors:
    """Return the errors of an arm by its set's measure, one row for every seed."""
    counts = [outcome.counts(measure) for outcome in seeds]
    return ArmErrors(
        errors=np.array([[count.errors for count in of_seed] for of_seed in counts]),
        lengths=np.array([count.length for count in counts[0]]),
        is_trained=is_trained,
    )
