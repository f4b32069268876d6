"""The steps that fine-tune: one or several trainings, and the mean of their weights.

Trainings differ by their seed alone: by the order of the clips, their margins, dropout, masks and
effects. Their mean has less of the luck of each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ..audio.augmentation import Augmentation
from ..core.artifacts import PRUNED
from ..core.errors import ConfigError
from ..core.manifest import Manifest
from ..core.types import Checkpoint
from .plan import Plan
from .pruning import delete_bulk
from .stage_table import CANDIDATE, TRAINING
from .stages.training import average_weights, fine_tune
from .steps import RoundSteps


def is_averaged(plan: Plan) -> bool:
    """Return whether a candidate is made from the weights of trainings, and is none of them."""
    return plan.trainings > 1 or plan.interpolate < 1


def fine_tune_each(
    steps: RoundSteps,
    start: Checkpoint,
    training_set: Manifest,
    augmentation: Augmentation | None,
) -> list[Checkpoint]:
    """Fine-tune from the same weights on the same training set, as often as the plan says."""
    plan, folder = steps.plan, steps.folder
    return [
        steps.run_stage(fine_tune)(
            recognizer=plan.asr,
            # The same start: only then does the mean lie where the trainings lie.
            start=start,
            training_set=training_set,
            seed=training_seed(steps.seed, number),
            augmentation=augmentation,
            early_stopping_speech=steps.inputs.early_stopping_speech,
            # Without averaging the only training makes the candidate itself.
            out=(
                TRAINING.path(folder, training=str(number))
                if is_averaged(plan)
                else CANDIDATE.path(folder)
            ),
        )
        for number in range(1, plan.trainings + 1)
    ]


def average_trainings(steps: RoundSteps, trainings: Sequence[Checkpoint]) -> Checkpoint:
    """Return the candidate: the mean of the trainings, moved towards the untouched weights.

    The weights of the single trainings are deleted then, unless the plan keeps them.

    Raises:
        ConfigError: They were deleted earlier, and the candidate was deleted since.
    """
    plan, out = steps.plan, CANDIDATE.path(steps.folder)
    if not is_averaged(plan):
        [candidate] = trainings
        return candidate
    folders = [training.location for training in trainings]
    if not out.exists() and any((folder / PRUNED).exists() for folder in folders):
        raise ConfigError(
            f"{out}: it was deleted, and the weights that it was averaged from were deleted before "
            f"it; restore it, or delete {folders[0].parent} too, to train again"
        )
    # A stage of its own: another `interpolate` needs no other training.
    candidate = steps.run_stage(average_weights)(
        recognizer=plan.asr,
        trained=trainings,
        # Not the start, which may be the champion: forgetting would add up over rounds.
        untouched=steps.base,
        interpolate=plan.interpolate,
        out=out,
    )
    # Only now, when the candidate is whole and in its place.
    if not plan.keep.trainings:
        for folder in folders:
            delete_bulk(folder)
    return candidate


def training_seed(round_seed: int, number: int) -> int:
    """Return the seed of one of the trainings of a round, numbered from 1.

    >>> training_seed(13, 1), training_seed(13, 2)
    (13, 499389689)
    """
    # The first has the seed of the round, so that it is the training of a plan without averaging.
    if number == 1:
        return round_seed
    return int(hashlib.sha256(f"{round_seed} training {number}".encode()).hexdigest()[:8], 16)
