"""Deployments, work pool and automations; `prefect.yaml` declares the same deployments in a file.

Four deployments serve every experiment: their parameters name the plan and the run. Registering
again updates what is there and never duplicates it.
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

from ..core.errors import ConfigError
from ..core.part_origins import VARIABLE as PARTS_VARIABLE
from ..core.part_origins import parts_folder
from .approval import promote
from .automations import automations
from .evaluate import evaluate
from .notifications import run_key
from .refine import one_round, retrain
from .working_directory import VARIABLE

NAME = POOL = "twister"
ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "PYTHONSAFEPATH": "1",  # `python -m` must not import modules of the folder it is started in
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "twister_loop",
}
"""Environment of every flow run, set here because a worker may be started by hand without it.

The automation that ends dead flow runs relies on the heartbeat.
"""
SETTLE = timedelta(seconds=15)
"""Time after the first event of new audio; audio that arrives meanwhile joins the same run."""

ON_NEW_AUDIO = DeploymentEventTrigger(
    name="twister: retrain on new audio",
    expect={"twister.audio.arrived"},
    match={"prefect.resource.id": "twister.run.*"},
    for_each={"prefect.resource.id"},
    threshold=1,
    within=SETTLE,
    schedule_after=SETTLE,
    parameters={"plan": "{{ event.payload.plan }}", "run": "{{ event.payload.run }}"},
)


def deployments(
    home: Path, plan: Path | None = None, run: Path | None = None, cron: str | None = None
) -> list[RunnerDeployment]:
    """Build the deployments of `round`, `retrain`, `promote` and `evaluate`.

    Args:
        home: Folder that relative paths in parameters are relative to.
        plan: Default plan of the deployments, together with `run`.
        run: Default run folder.
        cron: Schedule in UTC that is added to `retrain` for this experiment. Schedules of other
            experiments stay.

    Raises:
        ConfigError: `cron` is no valid schedule.
    """
    parameters = {"plan": str(plan.resolve()), "run": str(run.resolve())} if plan and run else {}
    try:
        CronSchedule(cron=cron or "0 2 * * *")
    except ValueError as cause:
        raise ConfigError(f"--cron {cron!r} is not a valid cron schedule") from cause
    # The slug identifies the schedule when an experiment is registered again with another time.
    schedules = [Cron(cron, slug=run_key(run), parameters=parameters)] if cron and run else None

    environment = {**ENVIRONMENT, VARIABLE: str(home.resolve())}
    if folder := parts_folder():  # a worker may be started by hand, and elsewhere
        environment[PARTS_VARIABLE] = str(folder.resolve())

    def deploy(flow: Any, **options: Any) -> RunnerDeployment:
        deployment: RunnerDeployment = flow.to_deployment(
            NAME,
            description=flow.description,
            work_pool_name=POOL,
            # By module, not by file: a worker imports the installed package and no file of the
            # working directory.
            entrypoint_type=EntrypointType.MODULE_PATH,
            job_variables={"env": environment},
            **options,
        )
        return deployment

    return [
        deploy(one_round, parameters=parameters),
        deploy(retrain, parameters=parameters, schedules=schedules, triggers=[ON_NEW_AUDIO]),
        deploy(promote, parameters={"run": parameters["run"]} if parameters else {}),
        deploy(evaluate, parameters=parameters),
    ]


def register(
    plan: str | None = None, run: str | None = None, cron: str | None = None, webhook: str = ""
) -> list[str]:
    """Register work pool, deployments and automations; return the names of the deployments.

    Args:
        plan: Default plan of the deployments, together with `run`.
        run: Default run folder.
        cron: Schedule of `retrain` for this experiment, in UTC.
        webhook: URL that the automations call; if empty, none is called.
    """
    with get_client(sync_client=True) as client:
        with suppress(ObjectAlreadyExists):
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        registered = deployments(
            home=Path.cwd(),
            plan=Path(plan) if plan else None,
            run=Path(run) if run else None,
            cron=cron,
        )
        for deployment in registered:
            deployment.apply()
        _replace_automations(client, webhook)
    return [f"{deployment.flow_name}/{deployment.name}" for deployment in registered]


def _replace_automations(client: SyncPrefectClient, webhook: str) -> None:
    # Prefect identifies automations by a random id only, so creating one again would double it.
    for automation in automations(webhook):
        for outdated in client.read_automations_by_name(automation.name):
            client.delete_automation(outdated.id)
        client.create_automation(automation)
