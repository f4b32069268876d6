"""What is deployed, in code; `prefect.yaml` declares the same for those who keep it there.

Four deployments serve every experiment: which one is said by their parameters. Registering again
changes what is there and never doubles it.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.events import DeploymentEventTrigger
from prefect.exceptions import ObjectAlreadyExists
from prefect.schedules import Cron
from prefect.types.entrypoint import EntrypointType

from .. import ConfigError
from .approval import promote
from .automations import automations
from .evaluate import evaluate
from .notifications import key_of
from .refine import one_round, retrain

NAME = POOL = "twister"
ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    # A `twister_loop` or `flows` folder in the working directory must not be imported as ours.
    "PYTHONSAFEPATH": "1",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "twister_loop",
}
"""Of every flow run, whoever started its worker: what ends dead runs counts on it."""
QUIET = timedelta(seconds=15)
"""After the first news of new audio; what arrives meanwhile makes no second run."""

ON_NEW_AUDIO = DeploymentEventTrigger(
    name="twister: retrain on new audio",
    expect={"twister.audio.arrived"},
    match={"prefect.resource.id": "twister.run.*"},
    for_each={"prefect.resource.id"},
    threshold=1,
    within=QUIET,
    schedule_after=QUIET,
    parameters={"plan": "{{ event.payload.plan }}", "run": "{{ event.payload.run }}"},
)


def deployments(
    home: Path, plan: Path | None = None, run: Path | None = None, cron: str | None = None
) -> list[RunnerDeployment]:
    """`round`, `retrain`, `promote`, `evaluate`; an experiment becomes their default.

    Relative paths among their parameters are relative to `home`. With `cron`, a schedule of that
    experiment's own is added to `retrain`; schedules of other experiments stay.
    """
    both = {"plan": str(plan.resolve()), "run": str(run.resolve())} if plan and run else {}
    try:
        CronSchedule(cron=cron or "0 2 * * *")
    except ValueError as cause:
        raise ConfigError(f"--cron {cron!r}: no schedule that cron knows") from cause
    schedules = [Cron(cron, slug=key_of(run), parameters=both)] if cron and run else None

    def deployed(flow: Any, **options: Any) -> RunnerDeployment:
        made: RunnerDeployment = flow.to_deployment(
            NAME,
            description=flow.description,
            work_pool_name=POOL,
            entrypoint_type=EntrypointType.MODULE_PATH,
            job_variables={"working_dir": str(home.resolve()), "env": ENVIRONMENT},
            **options,
        )
        return made

    return [
        deployed(one_round, parameters=both),
        deployed(retrain, parameters=both, schedules=schedules, triggers=[ON_NEW_AUDIO]),
        deployed(promote, parameters={"run": both["run"]} if both else {}),
        deployed(evaluate, parameters=both),
    ]


def register(
    plan: str | None = None, run: str | None = None, cron: str | None = None, hook: str = ""
) -> list[str]:
    """Make pool, deployments and automations on the server at hand; give the deployments' names.

    `hook` is the URL that automations call; without one, nobody is called.
    """
    with get_client(sync_client=True) as client:
        with suppress(ObjectAlreadyExists):
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        made = deployments(
            Path.cwd(), Path(plan) if plan else None, Path(run) if run else None, cron
        )
        for each in made:
            each.apply()
        _renew(client, hook)
    return [f"{each.flow_name}/{each.name}" for each in made]


def _renew(client: SyncPrefectClient, hook: str) -> None:
    """Automations have no key but their name: what is there by that name goes first."""
    for each in automations(hook):
        for old in client.read_automations_by_name(each.name):
            client.delete_automation(old.id)
        client.create_automation(each)
