"""Error rate of an arm after each of its rounds, over all seeds, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ...core.types import Report
from ...evaluation.outcomes import load_outcomes
from ...evaluation.pooling import SET_KINDS
from ...evaluation.scoreboard import DECODINGS
from ...text.normalizers._base import Normalizer
from .arm_scores import group_utterances, stack_errors
from .comparison import RoundScore
from .intervals import estimate_difference


def score_rounds(
    arm: str, untouched: Path, reports: Sequence[Sequence[Path]], normalizer: Normalizer
) -> Iterator[RoundScore]:
    """Yield the scores of every round of an arm, set by set, in both decodings.

    Args:
        arm: Name of the arm.
        untouched: Report of the untouched model.
        reports: Reports of every round, one for every seed, shape (rounds, seeds).
        normalizer: Normalizer of the plan.
    """
    for decoding in DECODINGS:
        before = load_outcomes(Report.load(untouched), normalizer, SET_KINDS, decoding)
        outcomes = [
            [
                load_outcomes(Report.load(report), normalizer, SET_KINDS, decoding)
                for report in seeds
            ]
            for seeds in reports
        ]
        # Sets of the untouched report: a set that a later round has no score for is an error, since
        # without it the rounds would not be of the same utterances.
        for set_name, outcome in before.items():
            measure, groupings = outcome.score.measure, group_utterances(outcome)
            baseline = stack_errors([outcome], measure, is_trained=False)
            rounds = [
                stack_errors([sets[set_name] for sets in seeds], measure, is_trained=True)
                for seeds in outcomes
            ]
            for number, errors in enumerate(rounds, 1):
                yield RoundScore(
                    arm=arm,
                    number=number,
                    set_name=set_name,
                    decoding=decoding,
                    measure=measure,
                    rate_by_seed=tuple(float(rate) for rate in errors.rates),
                    change=estimate_difference(errors, baseline, groupings),
                    # Each round against the first and not against the one before: small changes
                    # that are not shown one by one may add up to one that is.
                    change_from_first=(
                        estimate_difference(errors, rounds[0], groupings) if number > 1 else None
                    ),
                )
