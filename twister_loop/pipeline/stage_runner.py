"""Interface of what runs a stage: this process, or Prefect as a task."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class StageRunner(Protocol):
    """Runs a stage: `run_stage(stage)(*args, **kwargs)`.

    Prefect passes one that makes each stage a task; `loop.run_in_process` is the default.
    """

    def __call__(self, stage: Callable[P, R], /) -> Callable[P, R]: ...
