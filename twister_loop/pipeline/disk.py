"""Disk space that a round needs, estimated before it begins."""

from __future__ import annotations

from dataclasses import replace

from ..core.types import Checkpoint, Seconds
from .plan import Plan

SECONDS_PER_TEXT: Seconds = 4.0
"""Mean duration of a synthesized text; for estimates only."""
BYTES_PER_SECOND = 32_000
"""Size of 16-bit speech at 16 kHz."""


def count_samples(plan: Plan, texts: int) -> int:
    """Return how many times all voices together will speak a text of a corpus of `texts` texts."""
    return count_selected(plan, texts) * sum(voice.samples_per_text for voice in plan.voices)


def count_selected(plan: Plan, texts: int) -> int:
    """Return how many texts of a corpus of `texts` texts are spoken."""
    return min(texts, plan.text_selection.texts or texts)


def estimate_disk(plan: Plan, start: Checkpoint, texts: int, recorded: Seconds) -> int:
    """Return the bytes that a round writes at its peak.

    Args:
        plan: The plan.
        start: Checkpoint that training starts from.
        texts: Number of texts in the corpus.
        recorded: Duration of the recorded speech to train on, pool and human.
    """
    synthetic = count_samples(plan, texts) * SECONDS_PER_TEXT
    # Speech that gets the pool's channel is stored without it too.
    with_channel = tuple(voice for voice in plan.voices if voice.gets_pool_channel)
    studio = count_samples(replace(plan, voices=with_channel), texts) * SECONDS_PER_TEXT
    # Packing and written augmentation store everything again.
    augmented = plan.augment.copies if plan.augment and plan.augment.when == "written" else 0
    copies = (plan.pack is not None) + augmented
    seconds = studio + synthetic + copies * (synthetic + recorded)
    training = plan.asr.disk_bytes_needed(start, plan.trainings)
    return training + round(seconds * BYTES_PER_SECOND)
