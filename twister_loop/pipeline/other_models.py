"""Checks of the models of a plan that are not the champion: its teacher, and those of filters."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator

from ..asr._base import WeightsStatus
from ..core.errors import ConfigError
from ..core.manifest import Manifest
from ..core.types import Utterance
from .plan import Plan

log = logging.getLogger(__name__)

BYTES_PER_PARAMETER = 4
"""Bytes of a weight in float32, the most precise that an engine computes with."""
Reason = Callable[[Utterance], str | None]
"""Tells why an utterance cannot be transcribed, or returns None."""


def check_other_models(plan: Plan, pool: Manifest) -> None:
    """Check before the first stage that the teacher and the models of filters can hear the pool.

    Raises:
        ConfigError: Weights cannot be had, or a model can transcribe nothing of the pool.
    """
    if plan.teacher:
        try:
            checkpoint = plan.teacher.initial_checkpoint()
        except ConfigError as error:
            raise ConfigError(f"teacher: {error}") from error
        remedy = "name another model, or leave `teacher` out to label with the champion"
        _check_one("teacher", plan.teacher.unsupported_reason(checkpoint), pool, remedy)
    for filter_ in plan.pseudo_filters:
        # Labels that it cannot transcribe again are all dropped, after hours of labeling.
        if reason := filter_.unsupported_reason():
            _check_one(filter_.name, reason, pool, "name a model that can, or leave the filter out")


def _check_one(name: str, unsupported_reason: Reason, pool: Manifest, remedy: str) -> None:
    # By duration and language alone, so that a pool of any size takes a moment.
    reasons = Counter(filter(None, map(unsupported_reason, pool)))
    if not reasons:
        return
    reason, count = reasons.most_common(1)[0]
    # A few utterances get an error each, which is counted; nothing but errors is a mistake.
    if reasons.total() == len(pool):
        raise ConfigError(f"{name}: it can transcribe nothing of the pool: {reason}; {remedy}")
    log.warning("%s: %d utterances of the pool cannot be transcribed: %s", name, count, reason)


def find_unknown_languages(plan: Plan, teacher: WeightsStatus | None) -> Iterator[str]:
    """Yield the languages of the pool that one of these models does not know, each with its key.

    Args:
        plan: The plan.
        teacher: Where the teacher's weights are, which need not be here; None without a teacher.
    """
    reasons: dict[str, Reason] = {}
    if plan.teacher and teacher and (checkpoint := plan.teacher.preview_checkpoint(teacher)):
        reasons["the teacher"] = plan.teacher.unsupported_reason(checkpoint)
    for filter_ in plan.pseudo_filters:
        # Missing weights are a problem of their own.
        status = filter_.find_weights()
        is_here = not (status and status.problem)
        if is_here and (unsupported_reason := filter_.unsupported_reason()):
            reasons[f"the filter {filter_.name}"] = unsupported_reason
    named = {"language": plan.language}
    named |= {
        f"pool.{number}.lang": getattr(corpus, "lang", None)
        for number, corpus in enumerate(plan.pool)
    }
    for place, lang in named.items():
        for model, unsupported_reason in reasons.items():
            if lang and (reason := unsupported_reason(Utterance(id="", lang=lang))):
                yield f"{place}: {model} cannot transcribe it: {reason}"


def estimate_memory(status: WeightsStatus) -> int | None:
    """Return the bytes that the teacher's weights take in memory; None if it is not known.

    >>> estimate_memory(WeightsStatus("large", "the hub", parameters=1_500_000_000))
    6000000000
    """
    return None if status.parameters is None else BYTES_PER_PARAMETER * status.parameters
