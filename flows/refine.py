"""The loop as a Prefect flow: the same stages, each one a task, the same folders on disk.

Prefect names, shows and retries; the order of stages, caching and resuming are the
library's. Take the decorators away and the code still works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from prefect import State, flow, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.runtime import task_run
from prefect.states import Completed, Failed

import twister_loop
from twister_loop import Round, TwisterError, dashboard
from twister_loop.plan import load

from . import progress

P = ParamSpec("P")
R = TypeVar("R")

RETRIES = {"label": 1, "speak": 1}
"""Engines that may stumble; a stage goes on after its last whole window."""


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
    return _published(
        Path(run),
        lambda: twister_loop.refine(
            load(Path(plan), changes), Path(run), dashboard.following(Path(run), as_task)
        ),
    )


@flow(name="round", flow_run_name="{run}", persist_result=False)
def one_round(plan: str, run: str, changes: dict[str, Any] | None = None) -> State[Any]:
    """Finish the round in progress, or run one more."""
    return _published(
        Path(run),
        lambda: [
            twister_loop.next_round(
                load(Path(plan), changes), Path(run), dashboard.following(Path(run), as_task)
            )
        ],
    )


def publish(run: Path, done: Round) -> None:
    """Write the page, and show the figures where Prefect shows them."""
    page = dashboard.try_to_write(run)
    key = "".join(letter if letter.isalnum() else "-" for letter in run.name.lower())
    create_table_artifact(key=f"{key}-scores", table=dashboard.rows(run), description=str(run))
    why = "".join(f"\n- {objection}" for objection in done.verdict.objections)
    at = f"[the page]({page.resolve().as_uri()})" if page else "The page could not be drawn."
    create_markdown_artifact(
        key=f"{key}-round", markdown=f"# Round {done.number}: {_said(done)}\n{why}\n\n{at}\n"
    )


def _published(run: Path, rounds: Callable[[], Iterable[Round]]) -> State[Any]:
    """Publish every round as it ends; what the user can mend is a message, not a traceback."""
    said = "no round"
    try:
        for done in rounds():
            publish(run, done)
            said = f"round {done.number}: {_said(done)}"
    except TwisterError as trouble:
        state = Completed if trouble.exit_code == 0 else Failed
        return state(message=str(trouble), data=trouble)
    return Completed(message=said)


def _said(done: Round) -> str:
    return "accepted" if done.verdict.accepted else "refused"


def _folder() -> str:
    out: Path = task_run.parameters["kwargs"]["out"]
    return f"{out.parent.name}/{out.name}"
