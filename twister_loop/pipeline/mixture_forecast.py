"""The mixture that is to be expected, before voices are trained and texts are synthesized."""

from __future__ import annotations

import logging
from collections import defaultdict

from ..core.manifest import Manifest
from ..core.types import Seconds
from ..data.mixture import REPLAY, GroupDurations, MixtureGroup
from . import stage_table
from .steps import RoundSteps

log = logging.getLogger(__name__)

SECONDS_PER_LETTER: Seconds = 0.07
"""Duration of synthetic speech without any labels to measure: 14 letters a second, as in read
English."""


def check_mixture(steps: RoundSteps, filtered_labels: Manifest, texts: Manifest) -> None:
    """Tell what shares and caps will leave of each source, while nothing was synthesized yet.

    Args:
        steps: The steps of the round.
        filtered_labels: Labels and human speech to train on.
        texts: The sentences to synthesize.

    Raises:
        ConfigError: Shares and caps cannot hold together with this speech.
    """
    mix = steps.plan.mix
    has_limits = mix.shares or mix.at_most or mix.hours
    if not (has_limits and steps.plan.voices) or stage_table.MIXTURE.path(steps.folder).exists():
        return
    # As if all voices passed their trial: those that fail are told when they do.
    samples = sum(voice.samples_per_text for voice in steps.plan.voices)
    available = _estimate_amounts(filtered_labels, texts, steps.inputs.replay, samples)
    asked, targets = mix.asked_durations(available), mix.target_durations(available)
    limits = ", ".join(mix.reached_limits(targets))
    for group, seconds in targets.items():
        if seconds < asked[group]:
            log.warning(
                "mix: of %s about %.2f of %.2f h will be trained on, because of %s",
                group, seconds / 3600, asked[group] / 3600, limits,
            )  # fmt: skip


def _estimate_amounts(
    labels: Manifest, texts: Manifest, replay: Manifest, samples_per_text: int
) -> GroupDurations:
    """Return the seconds of each source; of synthetic speech by the letters of the texts."""
    available = defaultdict[MixtureGroup, Seconds](float)
    letters = 0
    for label in labels:
        available[MixtureGroup(label.origin, label.lang, label.corpus)] += label.duration
        letters += len(label.text or "")
    # As fast as the labels are spoken: the voices are made from them.
    rate = sum(available.values()) / letters if letters else SECONDS_PER_LETTER
    for text in texts:
        seconds = len(text.text or "") * rate * samples_per_text
        available[MixtureGroup("synthetic", text.lang, text.corpus)] += seconds
    for utterance in replay:
        available[MixtureGroup(REPLAY, utterance.lang, utterance.corpus)] += utterance.duration
    return dict(available)
