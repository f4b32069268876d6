"""Flows that run rounds: every stage is a Prefect task and writes the same folders on disk.

Prefect names, displays and retries stages. Their order, caching and resuming belong to the
library: without the decorators this code still works.
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

from ..core.errors import AwaitingApproval, BusyError, NothingNew, TwisterError
from ..pipeline.plan_reader import load
from ..pipeline.run_folder import Round, RunFolder
from ..reporting import dashboard
from .approval import close_approval, request_approval
from .notifications import publish_round
from .progress import progress_artifact
from .run_lock import hold_run_slot
from .worker_exit import exit_with_worker
from .working_directory import from_working_directory

P = ParamSpec("P")
R = TypeVar("R")

RETRIES = {"transcribe": 1, "synthesize": 1}
"""Retries by stage, for engines that may fail once; a retry resumes after the last window."""
SKIPPED = {BusyError: "Busy", NothingNew: "NothingNew", AwaitingApproval: "Waiting"}
"""Reasons to skip a round that are no failure, with the names of their completed states."""


def run_as_task(stage: Callable[P, R], /) -> Callable[P, R]:
    """Return the stage as a Prefect task that is named after its output folder."""

    def run_stage(*args: Any, **kwargs: Any) -> R:
        with progress_artifact(kwargs["out"]):
            return stage(*args, **kwargs)

    return task(
        name=stage.__name__,
        task_run_name=_output_name,
        retries=RETRIES.get(stage.__name__, 0),
        # Stages keep their outputs in the run folder; a second copy in Prefect's storage would
        # take space and could disagree with it.
        cache_policy=NO_CACHE,
        persist_result=False,
    )(run_stage)


@flow(name="refine", flow_run_name="{run}", persist_result=False)
def refine(plan: str, run: str, changes: dict[str, Any] | None = None) -> State[Any]:
    """Run rounds until the plan's number of rounds is finished."""
    plan_path, run_folder = from_working_directory(plan), from_working_directory(run)
    stages = dashboard.redraw_after_stages(run_folder, run_as_task)
    return publish_rounds(
        run_folder, lambda: twister_loop.refine(load(plan_path, changes), run_folder, stages)
    )


@flow(name="round", flow_run_name="{run}", persist_result=False)
def one_round(plan: str, run: str, changes: dict[str, Any] | None = None) -> State[Any]:
    """Finish the round in progress, or run one more."""
    plan_path, run_folder = from_working_directory(plan), from_working_directory(run)
    stages = dashboard.redraw_after_stages(run_folder, run_as_task)
    return publish_rounds(
        run_folder, lambda: [twister_loop.next_round(load(plan_path, changes), run_folder, stages)]
    )


@flow(name="retrain", flow_run_name="{run}", persist_result=False)
def retrain(plan: str, run: str, changes: dict[str, Any] | None = None) -> State[Any]:
    """Run one more round if the pool has enough new audio; otherwise report why not."""
    plan_path, run_folder = from_working_directory(plan), from_working_directory(run)
    stages = dashboard.redraw_after_stages(run_folder, run_as_task)
    return publish_rounds(
        run_folder, lambda: [twister_loop.retrain(load(plan_path, changes), run_folder, stages)]
    )


def publish_rounds(run_folder: Path, rounds: Callable[[], Iterable[Round]]) -> State[Any]:
    """Run rounds, publish each one as it ends, and return the state of the flow run.

    Args:
        run_folder: Run folder.
        rounds: Starts the rounds and yields the finished ones. It is called with the slot of the
            experiment held, so that a plan is not read before the run folder is free.

    Returns:
        `Completed` with the last headline, or with the reason why the round was skipped;
        `Failed` with one sentence for an error that the user can correct.
    """
    exit_with_worker()
    state: State[Any] = Completed(message="no new round")
    try:
        with hold_run_slot(run_folder):
            close_approval(run_folder)
            is_run = (run_folder / "run.json").is_file()
            published = RunFolder.read(run_folder).finished_rounds if is_run else []
            for round_ in rounds():
                # A round that was finished before is yielded again; notify only once.
                if round_.folder not in published:
                    state = Completed(message=publish_round(run_folder))
    except TwisterError as error:
        if name := SKIPPED.get(type(error)):
            state = Completed(name=name, message=str(error), data=error)
        else:
            return Failed(message=str(error), data=error)
    # Outside the slot: the approval flow must be able to take it as soon as it is answered.
    request_approval(run_folder)
    return state


def _output_name() -> str:
    out: Path = task_run.parameters["kwargs"]["out"]
    return f"{out.parent.name}/{out.name}"
