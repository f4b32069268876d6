"""Flow that evaluates the champion on the plan's current sets."""

from __future__ import annotations

from typing import Any

from prefect import State, flow
from prefect.artifacts import create_table_artifact
from prefect.states import Completed, Failed

from ..core.errors import BusyError, TwisterError
from ..pipeline import loop
from ..pipeline.plan_reader import load
from ..reporting import dashboard
from ..reporting.decodings import format_rate
from .notifications import run_key
from .refine import run_as_task
from .run_lock import hold_run_slot
from .worker_exit import exit_with_worker
from .working_directory import from_working_directory


@flow(name="evaluate", flow_run_name="{run}", persist_result=False)
def evaluate(plan: str, run: str, changes: dict[str, Any] | None = None) -> State[Any]:
    """Evaluate the champion on every set of the plan; the report is in `evaluation-NN/`."""
    exit_with_worker()
    plan_path, run_folder = from_working_directory(plan), from_working_directory(run)
    try:
        with hold_run_slot(run_folder):
            report = loop.evaluate(load(plan_path, changes), run_folder, run_as_task)
    except BusyError as error:
        # Completed, not failed: a schedule that meets a round in progress is no incident.
        return Completed(name="Busy", message=str(error), data=error)
    except TwisterError as error:
        return Failed(message=str(error), data=error)
    create_table_artifact(
        key=f"{run_key(run_folder)}-evaluation",
        table=dashboard.report_rows(report),
        description=str(report.folder),
    )
    rates = (
        f"{score.name}: {format_rate(score.count(), score.measure)} %" for score in report.scores
    )
    return Completed(message="; ".join(rates))
