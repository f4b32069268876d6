"""One voice of a round: trained on trusted labels, tried, and set to synthesize the text corpus."""

from __future__ import annotations

import logging

from ..asr._base import Recognizer
from ..core.artifacts import PROVENANCE, reuse_result
from ..core.manifest import Manifest
from ..core.types import Checkpoint
from ..evaluation.trials import VoiceTrial
from ..tts._untrained import UntrainedSynthesizer
from . import stage_table
from .plan import VoicePlan
from .stages.filtering import filter_utterances
from .stages.labeling import transcribe
from .stages.pool_channel import apply_pool_channel, measure_pool_channel
from .stages.voices import refuse_voice, synthesize, train_voice, try_voice
from .steps import RoundSteps

log = logging.getLogger(__name__)


def train_and_synthesize(
    steps: RoundSteps,
    voice: VoicePlan,
    filtered_labels: Manifest,
    texts: Manifest,
    checker: Recognizer,
) -> Manifest | None:
    """Train a voice, synthesize all texts, and keep what the champion understands.

    Args:
        steps: What all stages of the round share.
        voice: The voice of the plan.
        filtered_labels: Speech with trusted labels, to train the voice on.
        texts: The sentences to synthesize.
        checker: The decoder with which the champion checks what was synthesized.

    Returns:
        The synthetic speech, or None if the voice failed its trial on a few dozen texts: it can
        speak few of them, which may be known before it is trained, or the champion does not
        understand it. So no hours are spent on a voice that speaks noise.
    """
    synthesizer = voice.synthesizer
    labels = _filter_labels(steps, voice, filtered_labels)
    if refusal := _refuse(steps, voice, labels, texts):
        log.info("%s", refusal)
        return None
    checkpoint = _train(steps, voice, labels, texts)
    # Before anything is judged: what the champion checks must be what training hears.
    channel = (
        steps.run_stage(measure_pool_channel)(
            synthesizer=synthesizer,
            voice=checkpoint,
            texts=texts,
            filtered_labels=filtered_labels,
            out=stage_table.POOL_CHANNEL.path(steps.folder, voice=voice.name),
        )
        if voice.gets_pool_channel
        else None
    )
    trial = steps.run_stage(try_voice)(
        synthesizer=synthesizer,
        voice=checkpoint,
        name=voice.name,
        texts=texts,
        champion=steps.champion,
        channel=channel,
        options=steps.plan.trial,
        seed=steps.seed,
        out=stage_table.VOICE_TRIAL.path(steps.folder, voice=voice.name),
    )
    log.info("%s", trial)
    if not trial.passed:
        return None
    speech = _synthesize_or_reuse(steps, voice, checkpoint, texts)
    if channel:
        speech = steps.run_stage(apply_pool_channel)(
            speech=speech,
            channel=channel,
            cluster=steps.cluster,
            out=stage_table.IN_CHANNEL.path(steps.folder, voice=voice.name),
        )
    verified = steps.run_stage(transcribe)(
        recognizer=checker,
        checkpoint=steps.champion.checkpoint,
        speech=speech,
        cluster=steps.cluster,
        out=stage_table.VERIFIED.path(steps.folder, voice=voice.name),
    )
    filters = steps.plan.synthetic_filters
    aligned = steps.align(
        verified,
        filters=filters,
        out=stage_table.ALIGNED_SYNTHETIC.path(steps.folder, voice=voice.name),
    )
    return steps.run_stage(filter_utterances)(
        filters=filters,
        speech=aligned,
        human=None,
        held_out=(),
        context=steps.filter_context(filters),
        cluster=steps.cluster,
        out=stage_table.SYNTHETIC.path(steps.folder, voice=voice.name),
    )


def _filter_labels(steps: RoundSteps, voice: VoicePlan, filtered_labels: Manifest) -> Manifest:
    """Return the labels that a voice learns from: those that its own filters keep too."""
    if not voice.filters or isinstance(voice.synthesizer, UntrainedSynthesizer):
        return filtered_labels
    return steps.run_stage(filter_utterances)(
        filters=voice.filters,
        speech=filtered_labels,
        human=None,
        held_out=(),
        context=steps.filter_context(voice.filters),
        cluster=steps.cluster,
        out=stage_table.VOICE_LABELS.path(steps.folder, voice=voice.name),
    )


def _refuse(
    steps: RoundSteps, voice: VoicePlan, labels: Manifest, texts: Manifest
) -> VoiceTrial | None:
    """Return a failed trial if a voice can speak too few of its texts, or None if it can.

    A voice of recorded words is aligned with all labels, which takes longer than its trial, and
    where hardly a word occurs twice it can speak hardly any text.
    """
    options = steps.plan.trial
    trial_texts = texts.draw(options.texts, steps.seed)
    speakable = voice.synthesizer.count_speakable(labels, trial_texts)
    if speakable is None or speakable >= options.speaks_at_least * len(trial_texts):
        return None
    return steps.run_stage(refuse_voice)(
        name=voice.name,
        texts=len(trial_texts),
        speakable=speakable,
        options=options,
        out=stage_table.VOICE_TRIAL.path(steps.folder, voice=voice.name),
    )


def _train(steps: RoundSteps, voice: VoicePlan, labels: Manifest, texts: Manifest) -> Checkpoint:
    """Train a voice, unless it learns nothing."""
    synthesizer = voice.synthesizer
    if isinstance(synthesizer, UntrainedSynthesizer):
        # Not a stage, which would be another one in every round, with the labels of the round: the
        # speech of earlier rounds could not be told to be the same.
        return Checkpoint(synthesizer.name)
    continues = synthesizer.continues_from_last_round
    return steps.run_stage(train_voice)(
        synthesizer=synthesizer,
        start=steps.run_folder.voice(voice.name) if continues else None,
        filtered_labels=labels,
        texts=texts,
        champion=steps.champion,
        # A synthesizer that draws nothing gives the same for every seed; with 0 it is reused.
        seed=steps.seed if synthesizer.uses_randomness else 0,
        out=stage_table.VOICE.path(steps.folder, voice=voice.name),
    )


def _synthesize_or_reuse(
    steps: RoundSteps, voice: VoicePlan, checkpoint: Checkpoint, texts: Manifest
) -> Manifest:
    """Synthesize the texts, or copy the speech of an earlier round that is exactly the same.

    So it is with a voice that is not trained, such as `kokoro`, as long as the texts are the same.
    """
    out = stage_table.SYNTHESIZED.path(steps.folder, voice=voice.name)
    arguments = {
        "synthesizer": voice.synthesizer,
        "voice": checkpoint,
        "texts": texts,
        "samples_per_text": voice.samples_per_text,
    }
    place = out.relative_to(steps.folder).as_posix()
    if not out.exists():
        earlier = sorted(steps.run_folder.path.glob(f"round-*/{place}/{PROVENANCE}"))
        reuse_result(synthesize, out, earlier, **arguments)
        if out.exists():
            log.info("voice %s: its speech is that of an earlier round", voice.name)
    return steps.run_stage(synthesize)(**arguments, cluster=steps.cluster, out=out)  # type: ignore[arg-type]
