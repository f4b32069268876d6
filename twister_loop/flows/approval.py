"""Approval through Prefect: a flow run that is suspended on the server until a person decides.

The flow is a deployment of its own without a concurrency limit, so a pending approval occupies
no core and no slot. The decision itself is stored in the run folder: `twister approve` needs no
flow at all.
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
from pydantic import ConfigDict, Field

from ..core.errors import TwisterError
from ..pipeline.approval import approve, refuse
from ..pipeline.run_folder import RunFolder, approval_of, round_number
from ..reporting.summary import summarize
from .notifications import format_scores, publish_round, run_key
from .working_directory import from_working_directory

DEPLOYMENT = "promote/twister"
APPROVAL_TIMEOUT = 30 * 24 * 3600
"""Seconds until an unanswered flow run ends as failed; the candidate still awaits approval."""

log = logging.getLogger("twister_loop")


class Decision(RunInput):
    """Fields of the form that Prefect shows when the suspended flow run is resumed.

    The form sends an untouched switch as false, so a refusal without a note is rejected by the
    server, which checks the answer against this schema.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"approve": {"const": False}}},
            "then": {"required": ["note"], "properties": {"note": {"pattern": r"\S"}}},
        }
    )

    approve: bool = Field(description="on: the candidate becomes the champion; off: refuse it")
    note: str = Field(default="", description="the reason; a refusal needs one")
    by: str = Field(default="", description="your name")


@flow(name="promote", flow_run_name="{run}", persist_result=False)
def promote(run: str) -> State[Any]:
    """Wait for a person's decision on the pending candidate, and carry it out."""
    run_folder = from_working_directory(run)
    try:
        pending = RunFolder.read(run_folder).awaiting_approval
        if pending is None:
            return Completed(message=_approval_message(run_folder))
        scores = format_scores(summarize(run_folder).rounds[-1])
        question = f"Round {round_number(pending)} of {run_folder}\n\n{scores}"
        # The key lets Prefect match the answer after this process has ended: a suspended flow
        # run is started again from its first line when somebody resumes it.
        decision = suspend_flow_run(
            wait_for_input=Decision.with_initial_data(description=question),
            timeout=APPROVAL_TIMEOUT,
            key=f"{run_key(run_folder)}-{pending.name}",
        )
        # `twister approve` or `twister refuse` may have decided in the meantime.
        if not RunFolder.read(run_folder).awaiting_approval:
            return Completed(message=_approval_message(run_folder))
        decide = approve if decision.approve else refuse
        approval = decide(run_folder, decision.note, decision.by or "a Prefect user")
    except TwisterError as error:
        return Failed(message=str(error), data=error)
    publish_round(run_folder)
    return Completed(message=str(approval))


def request_approval(run: Path) -> None:
    """Start the `promote` flow if a candidate awaits approval and the flow is deployed.

    The idempotency key makes it one flow run a round, however often this is called.
    """
    pending = RunFolder.read(run).awaiting_approval
    if pending is None:
        return
    try:
        run_deployment(
            DEPLOYMENT,
            parameters={"run": str(run.resolve())},
            timeout=0,
            as_subflow=False,
            idempotency_key=f"{run_key(run)}-{pending.name}",
        )
    except ObjectNotFound:
        log.info(
            "this server has no deployment %s; decide with `twister approve %s`", DEPLOYMENT, run
        )


def close_approval(run: Path) -> None:
    """Complete suspended `promote` flow runs whose decision was made on the command line."""
    if not (run / "run.json").is_file() or RunFolder.read(run).awaiting_approval:
        return
    # PAUSED is the type of a suspended state; Prefect has no type of its own for it.
    suspended = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED]))
    )
    with get_client(sync_client=True) as client:
        for flow_run in client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=["promote"])), flow_run_filter=suspended
        ):
            if flow_run.parameters.get("run") == str(run.resolve()):
                decided: State[Any] = Completed(message=_approval_message(run))
                # `force` skips the rules of the server, which are about resuming such a run.
                client.set_flow_run_state(flow_run.id, decided, force=True)


def _approval_message(run: Path) -> str:
    finished = RunFolder.read(run).finished_rounds
    approval = approval_of(finished[-1]) if finished else None
    if approval is None:
        return "no candidate awaits approval"
    return f"round {round_number(finished[-1])}: {approval}"
