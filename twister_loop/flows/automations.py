"""Automations of the Prefect server: end dead flow runs, and call a webhook."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import cast
from uuid import UUID

from prefect.blocks.webhook import Webhook
from prefect.client.schemas.objects import StateType
from prefect.events import AutomationCore, EventTrigger, ResourceSpecification
from prefect.events.actions import CallWebhook, ChangeFlowRunState
from prefect.events.schemas.automations import Posture
from prefect.types import SecretDict
from pydantic import SecretStr

FLOWS = ["refine", "round", "retrain", "promote", "evaluate"]
# Restricted by name, so that other flows on the same server are left alone.
OUR_FLOWS = ResourceSpecification(
    {"prefect.resource.role": ["flow"], "prefect.resource.name": FLOWS}
)
HEARTBEAT_TIMEOUT = timedelta(seconds=300)
"""Time without a heartbeat after which a flow run counts as dead.

Heartbeats come every 30 s (`PREFECT_FLOWS_HEARTBEAT_FREQUENCY`), so ten are missed in a row.
"""
WEBHOOK_BLOCK = "twister-hook"


def automations(webhook: str = "") -> Iterator[AutomationCore]:
    """Yield the automations to register.

    Args:
        webhook: URL to post `{"text": ...}` to. If empty, only the automation that ends dead
            flow runs is yielded.
    """
    # `after` a heartbeat, proactively, if no event of any kind follows: a process that was killed
    # cannot report its own end.
    yield AutomationCore(
        name="twister: no run stays Running when its process is gone",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            match_related=OUR_FLOWS,
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=HEARTBEAT_TIMEOUT,
        ),
        actions=[
            ChangeFlowRunState(
                name=None,
                state=StateType.CRASHED,
                message=(
                    f"No heartbeat for {HEARTBEAT_TIMEOUT.seconds} s: the process has ended. "
                    "Finished stages are on disk; the next run resumes from them."
                ),
                force=False,
            )
        ],
    )
    if not webhook:
        return
    # Stored in a block, which Prefect encrypts: the URL often contains a token.
    headers = SecretDict({"Content-Type": "application/json"})
    block = Webhook(method="POST", url=SecretStr(webhook), headers=headers)
    block_id = cast(UUID, block.save(WEBHOOK_BLOCK, overwrite=True))
    yield AutomationCore(
        name="twister: post the outcome of a round",
        trigger=EventTrigger(
            expect={"twister.round.*"},
            match=ResourceSpecification({"prefect.resource.id": ["twister.run.*"]}),
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[
            CallWebhook(
                block_document_id=block_id,
                payload='{"text": {{ event.payload.text | tojson }}}',
            )
        ],
    )
    yield AutomationCore(
        name="twister: post failed and crashed runs",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
            match_related=OUR_FLOWS,
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[
            CallWebhook(
                block_document_id=block_id,
                payload='{"text": {{ (flow.name ~ " " ~ flow_run.parameters.run ~ ": "'
                ' ~ flow_run.state.name ~ ": " ~ flow_run.state.message) | tojson }}}',
            )
        ],
    )
