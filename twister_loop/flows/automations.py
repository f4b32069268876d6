"""What the server does by itself: end what has died, and call whoever wants to know."""

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
OURS = ResourceSpecification({"prefect.resource.role": ["flow"], "prefect.resource.name": FLOWS})
"""Other flows on the same server are left alone."""
SILENCE = timedelta(seconds=300)
"""Without a heartbeat, of which there are ten in that time: the run is dead."""
BLOCK = "twister-hook"


def automations(hook: str = "") -> Iterator[AutomationCore]:
    """Without a hook, only the one that ends dead runs."""
    yield AutomationCore(
        name="twister: no run stays Running when its process is gone",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            match_related=OURS,
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENCE,
        ),
        actions=[
            ChangeFlowRunState(
                name=None,
                state=StateType.CRASHED,
                message="No sign of life. What is on disk stays; the next run goes on from there.",
                force=False,
            )
        ],
    )
    if not hook:
        return
    headers = SecretDict({"Content-Type": "application/json"})
    block = cast(
        UUID,
        Webhook(method="POST", url=SecretStr(hook), headers=headers).save(BLOCK, overwrite=True),
    )
    yield AutomationCore(
        name="twister: tell what became of a round",
        trigger=EventTrigger(
            expect={"twister.round.*"},
            match=ResourceSpecification({"prefect.resource.id": ["twister.run.*"]}),
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[
            CallWebhook(
                block_document_id=block, payload='{"text": {{ event.payload.text | tojson }}}'
            )
        ],
    )
    yield AutomationCore(
        name="twister: tell what failed",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
            match_related=OURS,
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[
            CallWebhook(
                block_document_id=block,
                payload='{"text": {{ (flow.name ~ " " ~ flow_run.parameters.run ~ ": "'
                ' ~ flow_run.state.name ~ ": " ~ flow_run.state.message) | tojson }}}',
            )
        ],
    )
