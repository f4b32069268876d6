"""The step of a round that finds clips without speech, as `loop.run_round` calls it."""

from __future__ import annotations

from pathlib import Path

from ..core.manifest import Manifest
from . import stage_table
from .stages.filtering import REJECTED
from .stages.speechless import find_speechless
from .steps import RoundSteps


def find_speechless_clips(steps: RoundSteps, filtered_labels: Manifest) -> list[Manifest]:
    """Return the clips of the pool without speech, or nothing if the plan trains on none.

    Args:
        steps: The steps of the round.
        filtered_labels: What the filters kept; what they rejected lies beside it.
    """
    if not steps.plan.mix.speechless:
        return []
    pool = stage_table.POOL.path(steps.folder)
    speechless = steps.run_stage(find_speechless)(
        recognizer=steps.champion.recognizer,
        checkpoint=steps.champion.checkpoint,
        rejected_recordings=_rejected(pool),
        rejected_labels=_rejected(filtered_labels.folder),
        cluster=steps.cluster,
        out=stage_table.SPEECHLESS.path(steps.folder),
    )
    return [speechless]


def _rejected(folder: Path) -> Manifest:
    """Return what a stage rejected."""
    return Manifest(folder / REJECTED)
