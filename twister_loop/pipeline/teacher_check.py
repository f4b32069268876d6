"""Checks of a plan's teacher, the pretrained model that labels the pool in the champion's place."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator

from ..asr._base import WeightsStatus
from ..core.errors import ConfigError
from ..core.manifest import Manifest
from ..core.types import Utterance
from .plan import Plan

log = logging.getLogger(__name__)

BYTES_PER_PARAMETER = 4
"""Bytes of a weight in float32, the most precise that an engine computes with."""


def check_teacher(plan: Plan, pool: Manifest) -> None:
    """Check before the first stage that the teacher can transcribe the pool.

    Raises:
        ConfigError: Its weights cannot be had, or it can transcribe nothing of the pool.
    """
    if plan.teacher is None:
        return
    try:
        checkpoint = plan.teacher.initial_checkpoint()
    except ConfigError as error:
        raise ConfigError(f"teacher: {error}") from error
    # By duration and language alone, so that a pool of any size takes a moment.
    unsupported_reason = plan.teacher.unsupported_reason(checkpoint)
    reasons = Counter(filter(None, map(unsupported_reason, pool)))
    if not reasons:
        return
    reason, count = reasons.most_common(1)[0]
    # A few utterances get an error each, which is counted; nothing but errors is a mistake.
    if reasons.total() == len(pool):
        raise ConfigError(
            f"teacher: it can transcribe nothing of the pool: {reason}; name another model, or "
            "leave `teacher` out to label with the champion"
        )
    log.warning("teacher: %d utterances of the pool cannot be transcribed: %s", count, reason)


def find_unknown_languages(plan: Plan, status: WeightsStatus) -> Iterator[str]:
    """Yield the languages of the pool that the teacher does not know, each with its key.

    Args:
        plan: The plan.
        status: Where the teacher's weights are; they need not be here.
    """
    checkpoint = plan.teacher.preview_checkpoint(status) if plan.teacher else None
    if plan.teacher is None or checkpoint is None:
        return
    unsupported_reason = plan.teacher.unsupported_reason(checkpoint)
    named = {"language": plan.language}
    named |= {
        f"pool.{number}.lang": getattr(corpus, "lang", None)
        for number, corpus in enumerate(plan.pool)
    }
    for place, lang in named.items():
        if lang and (reason := unsupported_reason(Utterance(id="", lang=lang))):
            yield f"{place}: the teacher cannot transcribe it: {reason}"


def estimate_memory(status: WeightsStatus) -> int | None:
    """Return the bytes that the teacher's weights take in memory; None if it is not known.

    >>> estimate_memory(WeightsStatus("large", "the hub", parameters=1_500_000_000))
    6000000000
    """
    return None if status.parameters is None else BYTES_PER_PARAMETER * status.parameters
