"""Learning-rate schedule: linear warm-up to a peak, then linear decay almost to zero."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...core.types import Share


@dataclass(frozen=True)
class LinearSchedule:
    """Learning rate of every step of a training whose length is fixed in advance.

    >>> schedule = LinearSchedule(peak=1.0, warmup=0.5, total_steps=4)
    >>> [round(schedule.learning_rate(step), 2) for step in (1, 2, 3, 4)]
    [0.5, 1.0, 0.67, 0.33]
    """

    peak: float
    warmup: Share
    """Share of all steps in which the learning rate rises, from 0 to 1."""
    total_steps: int

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 1."""
        # Rounded up: a warm-up above zero always has a step; without one the peak comes first.
        warmup_steps = math.ceil(self.warmup * self.total_steps)
        if step <= warmup_steps:
            return self.peak * step / warmup_steps
        # The decay would reach zero one step after the last, so that no step is without effect.
        return self.peak * (self.total_steps - step + 1) / (self.total_steps - warmup_steps + 1)
