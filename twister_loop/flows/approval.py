"""Approval by a person, through Prefect: a flow that sleeps on the server until somebody answers.

It is a deployment of its own without a limit, so nothing holds a core or a slot while it waits.
The word lies in the run folder; who says it with `twister approve` needs no flow at all.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from prefect import State, flow, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.states import Completed, Failed

from .. import TwisterError, approve, refuse
from ..pipeline.run_folder import RunFolder, approval_of, round_number
from ..reporting.summary import summarize
from .notifications import figures, key_of, publish

DEPLOYMENT = "promote/twister"
PATIENCE = 30 * 24 * 3600
"""Seconds until a question that nobody answers ends as failed; the candidate still waits then."""

log = logging.getLogger("twister_loop")


class Decision(RunInput):
    """What the form in Prefect asks for."""

    approve: bool
    note: str = ""
    by: str = ""


@flow(name="promote", flow_run_name="{run}", persist_result=False)
def promote(run: str) -> State[Any]:
    """Wait for a person's word on the candidate that waits, and do what it says."""
    folder = Path(run)
    try:
        at = RunFolder.read(folder).awaiting_approval
        if at is None:
            return Completed(message=_said(folder))
        asked = f"Round {round_number(at)} of {folder}\n\n{figures(summarize(folder).rounds[-1])}"
        decision = suspend_flow_run(
            wait_for_input=Decision.with_initial_data(description=asked),
            timeout=PATIENCE,
            key=f"{key_of(folder)}-{at.name}",
        )
        if not RunFolder.read(
            folder
        ).awaiting_approval:  # somebody said it on the command line meanwhile
            return Completed(message=_said(folder))
        say = approve if decision.approve else refuse
        said = say(folder, decision.note, decision.by or "somebody through Prefect")
    except TwisterError as trouble:
        return Failed(message=str(trouble), data=trouble)
    publish(folder)
    return Completed(message=str(said))


def ask(run: Path) -> None:
    """If a candidate waits, start the flow above, once a round, where it is deployed."""
    at = RunFolder.read(run).awaiting_approval
    if at is None:
        return
    try:
        run_deployment(
            DEPLOYMENT,
            parameters={"run": str(run.resolve())},
            timeout=0,
            as_subflow=False,
            idempotency_key=f"{key_of(run)}-{at.name}",
        )
    except ObjectNotFound:
        log.info("no deployment %s on this server: `twister approve %s` decides", DEPLOYMENT, run)


def settle(run: Path) -> None:
    """End the questions about a run that were answered on the command line."""
    if not (run / "run.json").is_file() or RunFolder.read(run).awaiting_approval:
        return
    asked = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED]))
    )
    with get_client(sync_client=True) as client:
        for each in client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=["promote"])), flow_run_filter=asked
        ):
            if each.parameters.get("run") == str(run.resolve()):
                client.set_flow_run_state(each.id, Completed(message=_said(run)), force=True)


def _said(run: Path) -> str:
    finished = RunFolder.read(run).finished_rounds
    said = approval_of(finished[-1]) if finished else None
    return f"round {round_number(finished[-1])}: {said}" if said else "nothing waits for approval"
