"""Sentences below the tables of a comparison: what its figures do not say."""

from __future__ import annotations

from collections.abc import Iterator

from ..plan import Plan
from .arms import FULL_LOOP, KEPT_REFERENCES, SELF_TRAINING, SUPERVISED
from .comparison import Comparison

LUCK = (
    "two trainings of one arm differ by about a point of WER on 84 utterances, and an interval "
    "that leaves this out calls arms of equal truth different far more often than in 5 %"
)
REFERENCES_ELSEWHERE = (
    "none of the recordings under `pool_references` is in the pool (compared by content), so what "
    f"label errors cost is not known, and {SUPERVISED!r} is trained on other recordings than those "
    "that are labeled"
)


def describe_limits(plan: Plan, comparison: Comparison) -> Iterator[str]:
    """Yield the sentences that belong to a comparison.

    Args:
        plan: Plan of the full loop.
        comparison: Its tables.
    """
    yield from _describe_seeds(comparison)
    yield from _describe_updates(comparison)
    # An ablation has no arm of references, whatever the plan names.
    if not comparison.options.ablation:
        yield from _describe_references(plan, comparison)
    if not plan.full_window:
        yield (
            "`full_window: false`: decoding in 30 s windows with timestamps, as other tools "
            "decode, was not measured."
        )
    elif not any(row.decoding == "standard" for row in comparison.rows):
        yield f"{plan.asr.name} has no decoding in 30 s windows, so there is one decoding only."


def _describe_seeds(comparison: Comparison) -> Iterator[str]:
    # An arm may have one seed where others have several, if its other trainings failed.
    single = [training.arm for training in comparison.trainings if len(training.seeds) == 1]
    if single:
        arms = "all arms" if len(single) == len(comparison.trainings) else ", ".join(single)
        yield (
            f"One seed ({arms}): no difference is claimed and no interval is known, since {LUCK}. "
            "Run the command again with `--seeds 3` or more."
        )
    if len(single) < len(comparison.trainings):
        yield (
            "Intervals (95 %) draw seeds and utterances together, and speakers where they are "
            "known and that is wider. Each holds by itself: of 20 differences between equal arms "
            "one is called shown by chance."
        )


def _describe_updates(comparison: Comparison) -> Iterator[str]:
    updates = {seed.updates for training in comparison.trainings for seed in training.seeds}
    if None in updates:
        yield "This recognizer logs no updates, so equal amounts of training are not checked."
    elif len(updates) > 1:
        counts = ", ".join(
            f"{training.arm} {sorted({seed.updates or 0 for seed in training.seeds})}"
            for training in comparison.trainings
        )
        yield f"The measured models have had unequal numbers of updates: {counts}."


def _describe_references(plan: Plan, comparison: Comparison) -> Iterator[str]:
    trainings = {training.arm: training for training in comparison.trainings}
    if plan.pool_references is None:
        yield (
            "The plan names no `pool_references`, human transcripts of the pool or a part of it, "
            f"so there is no arm {SUPERVISED!r} or {KEPT_REFERENCES!r}, no share of the gap, and "
            "no count of label errors."
        )
    elif SUPERVISED in trainings:
        if KEPT_REFERENCES not in trainings and not comparison.options.arms:
            failed = {failure.arm for failure in comparison.failures}
            yield from () if KEPT_REFERENCES in failed else (f"Note: {REFERENCES_ELSEWHERE}.",)
        yield (
            f"Gap: from the untouched model to {SUPERVISED!r}. A share is not known where the gap "
            "itself is not shown."
        )
    if SELF_TRAINING in trainings and KEPT_REFERENCES in trainings:
        # Said in numbers, since fewer clips would pass for the price of label errors.
        labeled = trainings[SELF_TRAINING].seeds[0].mixture.get("pseudo")
        true = trainings[KEPT_REFERENCES].seeds[0].mixture.get("human")
        if labeled and true and true.utterances < labeled.utterances:
            yield (
                f"{KEPT_REFERENCES!r} has {true.utterances} clips where {SELF_TRAINING!r} has "
                f"{labeled.utterances}: the others have no reference, or one that is a near twin "
                "of a held-out text."
            )
    if plan.voices and FULL_LOOP not in trainings:
        yield f"{FULL_LOOP!r} was not trained, so no arm is compared with it."
