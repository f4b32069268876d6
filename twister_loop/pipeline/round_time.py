"""Time that a round will take, from rates that were measured; nothing where none was."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ..asr._base import WeightsStatus
from ..asr._gpu import find_gpu
from ..core.types import Seconds
from .data_amounts import DataAmount
from .disk import SECONDS_PER_TEXT, count_samples, count_selected
from .plan import Plan
from .set_sizes import count_in_windows

MEASURED_PARAMETERS = 72_600_000
"""Parameters of Whisper base, and"""
MEASURED_CORES = 2
"""cores of the machine with which these rates were measured (BENCHMARKS.md, 2026-11-25):"""
DECODING_RATE = 17.0
"""Seconds of speech that are transcribed in a second,"""
WINDOW_DECODING_RATE = 3.1
"""the same in 30 s windows,"""
TRAINING_SECONDS = 2.7
"""and seconds of a training step of"""
MEASURED_BATCH = 8
"""clips."""
BEAM_DECODING_RATE = 9.1
"""Seconds of speech that a beam of 5 decodes in a second: two beams over the 27.6 minutes of the
demo's pool took 362 s (2026-11-29)."""
MEASURED_BEAM = 5
TIME_FACTOR = 2.0
"""Factor by which a time may be shorter or longer than its estimate."""


@dataclass(frozen=True)
class RoundTime:
    """Estimated time of a round on the processor."""

    seconds: Mapping[str, Seconds]
    """Time by kind of work; only the kinds with a measured rate."""
    unknown: tuple[str, ...]
    """Reasons why there is no time for a kind of work, in sentences."""


def estimate_time(
    plan: Plan, weights: Mapping[str, WeightsStatus], amounts: Mapping[str, DataAmount]
) -> RoundTime:
    """Estimate the time of a round.

    Args:
        plan: The plan.
        weights: Pretrained weights by key of the plan.
        amounts: Data by key of the plan.
    """
    if find_gpu():
        return RoundTime({}, ("rates were measured on processors, and this machine has a GPU",))
    seconds: dict[str, Seconds] = {}
    unknown: list[str] = []
    # Only Whisper has measured rates: networks from scratch were trained in small sizes alone.
    if (parameters := weights["asr"].parameters) is None or not hasattr(plan.asr, "decode_batch"):
        unknown.append(f"no rate was measured for {plan.asr.name} of this size")
    else:
        seconds |= _estimate_recognizer(plan, parameters, amounts)
    if plan.teacher:
        seconds.pop("labeling", None)
        if (parameters := weights["teacher"].parameters) is None:
            unknown.append(f"teacher: no rate was measured for {weights['teacher'].model}")
        else:
            seconds["labeling"] = estimate_slowness(parameters) * (
                amounts["pool"].duration / DECODING_RATE
            )
    if plan.rescore:
        labeler = weights["teacher" if plan.teacher else "asr"]
        if labeler.parameters is None:
            unknown.append(f"rescore: no rate was measured for {labeler.model}")
        else:
            beams = 2 if plan.rescore.prompt_words else 1
            speech = beams * amounts["pool"].duration * plan.rescore.texts / MEASURED_BEAM
            slowness = estimate_slowness(labeler.parameters)
            seconds["rescoring"] = slowness * speech / BEAM_DECODING_RATE
    for voice in plan.voices:
        duration = voice.synthesizer.training_seconds()
        if duration is None:
            unknown.append(
                f"voices.{voice.name}: no rate was measured for training {voice.synthesizer.name} "
                "with these options"
            )
        elif duration:
            seconds[f"training {voice.name}"] = duration
        if (rate := voice.synthesizer.synthesis_rate) and "texts" in amounts:
            texts = count_selected(plan, amounts["texts"].utterances)
            speech = texts * voice.samples_per_text * SECONDS_PER_TEXT
            seconds[f"synthesizing {voice.name}"] = speech / rate / (os.cpu_count() or 1)
    return RoundTime(seconds, tuple(unknown))


def estimate_slowness(parameters: int) -> float:
    """Return the time of a model of this size, relative to the measured one on its machine.

    Decoding and training of one architecture take time in proportion to its parameters, and cores
    share the work of a batch.
    """
    return parameters / MEASURED_PARAMETERS * MEASURED_CORES / (os.cpu_count() or 1)


def _estimate_recognizer(
    plan: Plan, parameters: int, amounts: Mapping[str, DataAmount]
) -> dict[str, Seconds]:
    """Return the seconds of labeling, checking, fine-tuning and evaluation."""
    batch = getattr(plan.asr, "batch", MEASURED_BATCH)
    slowness = estimate_slowness(parameters)
    samples = count_samples(plan, amounts["texts"].utterances) if "texts" in amounts else 0
    pool = amounts["pool"]
    human = amounts["human"].utterances if "human" in amounts else 0
    updates = (pool.utterances + human + samples) / batch
    if count_epochs := getattr(plan.asr, "count_epochs", None):
        updates *= count_epochs(updates)
    updates = min(updates, getattr(plan.asr, "max_steps", None) or updates)
    held_out = [amounts[f"{kind}.{name}"] for name, (kind, _) in plan.sets.items()]
    # Both decodings of every set are measured, and the full window is by far the slower one.
    clips = sum(amount.duration for amount in held_out)
    windows = sum(
        amount.duration * count_in_windows(plan, amount.utterances) / max(1, amount.utterances)
        for amount in held_out
    )
    seconds = {
        "labeling": pool.duration / DECODING_RATE,
        "checking synthetic speech": samples * SECONDS_PER_TEXT / DECODING_RATE,
        "fine-tuning": plan.trainings * updates * TRAINING_SECONDS * batch / MEASURED_BATCH,
        # The champion and the candidate; the untouched model too, once in a run.
        "evaluation": 2 * (clips / DECODING_RATE + windows / WINDOW_DECODING_RATE),
    }
    return {work: slowness * duration for work, duration in seconds.items()}
