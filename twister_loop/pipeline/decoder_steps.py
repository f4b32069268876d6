"""The steps of a round that choose its decoders, as `loop.run_round` calls them.

The plan's teacher labels the pool, or the champion if the plan has none. The champion checks
synthetic speech in either case: it is the one that learns from it.
"""

from __future__ import annotations

import logging

from ..asr._base import BoundRecognizer, Recognizer
from ..core.manifest import Manifest
from . import stage_table
from .stage_table import StageEntry
from .stages.labeling import try_decoders
from .steps import RoundSteps

log = logging.getLogger(__name__)

POOL_SIZE_WORTH_A_TRIAL = 10
"""Skip the decoder trial if the pool has fewer clips than this multiple of `LabelOptions.clips`:
the trial would then cost as much as it saves."""
DRAW_SEED = 13
"""Seed of the clips of the trial. It is none of the round: another draw may take another decoder,
and then runs that differ in their seed alone would label, rescore and synthesize all of it anew."""


def choose_labeler(steps: RoundSteps, pool: Manifest) -> BoundRecognizer:
    """Choose the decoder of pseudo-labels: the fastest one that agrees with full-window decoding.

    Returns:
        The decoder with the weights of the teacher, or of the champion if the plan has no teacher.
    """
    plan, teacher = steps.plan, steps.teacher
    # The labeler decodes weights of the plan's recognizer; a teacher's may be of any engine.
    engine = plan.teacher or plan.labeler.recognizer
    decoder = _choose_decoder(steps, pool, engine, teacher, stage_table.LABELER)
    log.info(
        "%s labels the pool with %s: %s",
        f"the teacher {teacher.checkpoint.source}" if plan.teacher else "the champion",
        decoder.name,
        decoder.decoding_description(),
    )
    return BoundRecognizer(decoder, teacher.checkpoint)


def choose_checker(steps: RoundSteps, pool: Manifest, labeler: BoundRecognizer) -> Recognizer:
    """Choose the decoder with which the champion transcribes synthetic speech."""
    if steps.plan.teacher is None:
        return labeler.recognizer
    if not steps.plan.voices:
        return steps.plan.asr  # nothing will be synthesized, so a trial would be for nothing
    engine = steps.plan.labeler.recognizer
    return _choose_decoder(steps, pool, engine, steps.champion, stage_table.CHECKER)


def _choose_decoder(
    steps: RoundSteps,
    pool: Manifest,
    engine: Recognizer,
    model: BoundRecognizer,
    stage: StageEntry,
) -> Recognizer:
    """Choose the fastest variant of an engine whose transcripts match full-window decoding.

    Args:
        steps: What all stages of the round share.
        pool: Clips to compare decoders on.
        engine: Decodes the weights of `model`, and may be another engine than the model's own.
        model: The recognizer and weights whose full-window transcripts are the reference.
        stage: Folder of the trial.
    """
    options, reference = steps.plan.labeler.options, model.recognizer.full_context()
    candidates = engine.faster_variants(model.checkpoint)
    if engine == model.recognizer and len(pool) < POOL_SIZE_WORTH_A_TRIAL * options.clips:
        return engine
    # Without a variant that is faster, or without clips, there is nothing to compare.
    if list(candidates) == [reference] or not len(pool):
        return reference
    trial = steps.run_stage(try_decoders)(
        candidates=candidates,
        reference=reference,
        checkpoint=model.checkpoint,
        pool=pool,
        filters=steps.pseudo_filters,
        options=options,
        seed=DRAW_SEED,
        out=stage.path(steps.folder),
    )
    log.info("%s", trial)
    if trial.suggested_limit:
        log.info(
            "labeling without a faster decoder takes two to three times as long; where the model "
            "is weak, decoders differ in many words and none need be worse, and "
            "`labeler: {at_most: %g}` would take a faster one",
            trial.suggested_limit,
        )
    return reference if trial.chosen is None else candidates[trial.chosen]
