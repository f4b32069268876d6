"""Training data of the arm that shows what label errors cost: the kept clips, truly transcribed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ...core.artifacts import stage
from ...core.errors import ConfigError
from ...core.locks import exclusive_lock
from ...core.manifest import Manifest
from ...core.types import ErrorCount, Measure, Utterance
from ...data.corpora.manifest import ManifestFile
from ...evaluation import metrics
from ...text.normalizers._base import Normalizer
from ..plan import Plan
from ..stages.filtering import write_kept_and_rejected
from ..stages.listing import gather

log = logging.getLogger(__name__)

LOCK = ".pool_references.lock"
"""Held while the references are listed."""


def list_references(plan: Plan, folder: Path) -> Manifest | None:
    """List the references of the pool; None if the plan names none.

    Raises:
        ConfigError: None of them has a transcript.
    """
    if plan.pool_references is None:
        return None
    # Two processes may each run some of the arms of one folder.
    with exclusive_lock(folder / LOCK, wait=True):
        # Listed outside the rounds: no round may see references of its own pool.
        references = gather((plan.pool_references,), plan.language, out=folder / "pool_references")
    if not any(utterance.text for utterance in references):
        raise ConfigError(
            f"pool_references: none of its {len(references)} recordings has a transcript; "
            f"{plan.pool_references.explain_missing_text()}"
        )
    return references


def count_references_of_pool(plan: Plan, references: Manifest, folder: Path) -> int:
    """Count the recordings of the pool that have a reference, by content."""
    pool = gather(plan.pool, plan.language, "pool", out=folder / "pool")
    # Ids come from the content, so copies under other names match.
    transcribed = {utterance.id for utterance in references if utterance.text}
    count = sum(utterance.id in transcribed for utterance in pool)
    log.info("%d of %d recordings of the pool have a reference", count, len(pool))
    return count


def with_kept_references(arm: Plan, filtered_labels: Path, references: Path, *, out: Path) -> Plan:
    """Return the arm with the references of the clips whose pseudo-labels passed the filters.

    They are human speech of the plan, so that they go through the stages of all human speech.

    Args:
        arm: Plan of the arm, without any speech of the pool.
        filtered_labels: Labels that self-training keeps with the same seed.
        references: List of the references of the pool.
        out: Folder of the list that the arm is trained on.

    Raises:
        ConfigError: None of the kept clips has a reference.
    """
    kept = take_references(Manifest.load(filtered_labels), Manifest.load(references), out=out)
    if not len(kept):
        clips = len(Manifest.load(filtered_labels))
        raise ConfigError(
            f"pool_references: none of the {clips} clips that the filters keep has a reference; "
            "references are found by the content of a recording, so one that `scan` cuts has none"
        )
    # As human speech, so that leaks and near twins are looked for as in every other arm.
    return replace(arm, human=(*arm.human, ManifestFile(file=kept.path)))


@stage(version=1)
def take_references(labels: Manifest, references: Manifest, *, out: Path) -> Manifest:
    """Write the references of labeled clips; a clip without one is counted as `no_reference`.

    Human speech among the labels is left out, since every arm has it anyway.
    """
    by_id = {utterance.id: utterance for utterance in references if utterance.text}

    def referenced() -> Iterator[Utterance]:
        for label in labels:
            if label.origin != "pseudo":
                continue
            yield by_id.get(label.id) or replace(
                label,
                rejected_by="no_reference",
                objection="`pool_references` has no transcript of this recording",
            )

    return write_kept_and_rejected(referenced(), out)


def count_label_errors(
    labels: Manifest, references: Manifest, normalizer: Normalizer, measure: Measure
) -> ErrorCount:
    """Count errors of pseudo-labels against references of the pool, where there are some."""
    texts = {utterance.id: utterance.text for utterance in references if utterance.text}
    return metrics.sum_counts(
        [
            metrics.count_errors(
                normalizer.normalize(texts[label.id], label.lang),
                normalizer.normalize(label.text or "", label.lang),
                measure,
            )
            for label in labels
            if label.id in texts and label.origin != "human" and not label.error
        ]
    )
