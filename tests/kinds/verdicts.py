"""Verdicts on what became of a kind of file: read whole, rejected with its reason, or lost."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from . import RATE, Kind, Samples
from .reading import FRAME, Outcome, envelope

TOLERANCE = 0.1
"""Seconds by which what is read may differ from the truth."""
MIN_CORRELATION = 0.9
"""Least correlation of the loudness of what is read with that of the recording."""
WHOLE, REJECTED = "whole", "rejected"
GOOD = frozenset({WHOLE, REJECTED})


def judge(kind: Kind, truth: float | None, speech: Samples, outcome: Outcome) -> str:
    """Return a verdict in a few words; those in `GOOD` are right for the kind.

    Args:
        kind: the kind.
        truth: seconds that can be read; None if the kind is to be rejected.
        speech: the recording that the kind was made from.
        outcome: what the library made of it.
    """
    reasons = [*outcome.rejected, *outcome.logged]
    has_reason = any(re.search(kind.reason, reason) for reason in reasons)
    if not outcome.kept:
        if not outcome.rejected and not has_reason:
            return "LOST" if truth is not None else "UNCOUNTED"
        if truth is not None:
            return "REFUSED though it can be read"
        return REJECTED if has_reason else "rejected for ANOTHER reason"
    if truth is None:
        return "TAKEN though it is to be rejected"
    if not -TOLERANCE - kind.slack <= outcome.seconds - truth <= TOLERANCE + kind.padding:
        return f"WRONG length: {outcome.seconds:.2f} s"
    if abs(outcome.listed - outcome.seconds) > TOLERANCE:
        return f"WRONG duration in the list: {outcome.listed:.2f} s"
    if kind.clean and correlate(outcome.envelope, envelope(speech).tolist()) < MIN_CORRELATION:
        return "sounds WRONG"
    return WHOLE if has_reason or not kind.reason else "whole, but something is UNCOUNTED"


def correlate(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the highest correlation of two envelopes that are at most 0.1 s apart."""
    length = min(len(first), len(second))
    latest = round(TOLERANCE * RATE / FRAME)
    padded = np.pad(np.asarray(first[:length]), latest)
    reference = np.asarray(second[:length])
    if not length:
        return 0.0
    return max(
        float(np.corrcoef(padded[start : start + length], reference)[0, 1])
        for start in range(2 * latest + 1)
    )
