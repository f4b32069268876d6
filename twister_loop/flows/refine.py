"""The loop as a Prefect flow: the same stages, each one a task, the same folders on disk.

Prefect names, shows and retries; the order of stages, caching and resuming are the
library's. Take the decorators away and the code still works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from prefect import State, flow, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import task_run
from prefect.states import Completed, Failed

import twister_loop

from .. import BusyError, NothingNew, Round, TwisterError, Waiting
from ..pipeline.plan import load
from ..pipeline.run_folder import RunFolder
from ..reporting import dashboard
from . import progress
from .approval import ask, settle
from .notifications import publish
from .run_lock import alone
from .worker_exit import die_with_worker

P = ParamSpec("P")
R = TypeVar("R")

RETRIES = {"transcribe": 1, "synthesize": 1}
"""Engines that may stumble; a stage goes on after its last whole window."""
WENT_HOME = {BusyError: "Busy", NothingNew: "NothingNew", Waiting: "Waiting"}
"""Reasons to go home that are nobody's failure, and the names of their states."""


def as_task(stage: Callable[P, R], /) -> Callable[P, R]:
    """Carry a stage out as a task named after its folder; it keeps its own results on disk."""

    def step(*args: Any, **kwargs: Any) -> R:
        with progress.shown(kwargs["out"]):
            return stage(*args, **kwargs)

    return task(
        name=stage.__name__,
        task_run_name=_folder,
        retries=RETRIES.get(stage.__name__, 0),
        cache_policy=NO_CACHE,
        persist_result=False,
    )(step)


@flow(name="refine", flow_run_name="{run}", persist_result=False)
def refine(plan: str, run: str, changes: dict[str, Any] | None = None) -> State[Any]:
    """Run rounds until there are as many as the plan wants."""
    do = dashboard.redraw_after_stages(Path(run), as_task)
    return carried_out(run, lambda: twister_loop.refine(load(Path(plan), changes), Path(run), do))


@flow(name="round", flow_run_name="{run}", persist_result=False)
def one_round(plan: str, run: str, changes: dict[str, Any] | None = None) -> State[Any]:
    """Finish the round in progress, or run one more."""
    do = dashboard.redraw_after_stages(Path(run), as_task)
    return carried_out(
        run, lambda: [twister_loop.next_round(load(Path(plan), changes), Path(run), do)]
    )


@flow(name="retrain", flow_run_name="{run}", persist_result=False)
def retrain(plan: str, run: str, changes: dict[str, Any] | None = None) -> State[Any]:
    """Run a round if enough new audio has come into the pool; else go home and say so."""
    do = dashboard.redraw_after_stages(Path(run), as_task)
    return carried_out(
        run, lambda: [twister_loop.retrain(load(Path(plan), changes), Path(run), do)]
    )


def carried_out(run: str, rounds: Callable[[], Iterable[Round]]) -> State[Any]:
    """Publish every round as it ends; what the user can mend is a message, not a traceback."""
    die_with_worker()
    folder = Path(run)
    state: State[Any] = Completed(message="no new round")
    try:
        with alone(folder):
            settle(folder)
            before = (
                RunFolder.read(folder).finished_rounds if (folder / "run.json").is_file() else []
            )
            for done in rounds():
                if done.folder not in before:  # what was told once is not told again
                    state = Completed(message=publish(folder))
    except TwisterError as trouble:
        if name := WENT_HOME.get(type(trouble)):
            state = Completed(name=name, message=str(trouble), data=trouble)
        else:
            return Failed(message=str(trouble), data=trouble)
    ask(folder)
    return state


def _folder() -> str:
    out: Path = task_run.parameters["kwargs"]["out"]
    return f"{out.parent.name}/{out.name}"
