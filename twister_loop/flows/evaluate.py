"""The champion on every set as it is now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import State, flow
from prefect.artifacts import create_table_artifact
from prefect.states import Completed, Failed

from .. import BusyError, TwisterError, measure_champion
from ..pipeline.plan import load
from ..reporting import dashboard
from .notifications import key_of
from .refine import as_task
from .run_lock import alone
from .worker_exit import die_with_worker


@flow(name="evaluate", flow_run_name="{run}", persist_result=False)
def evaluate(plan: str, run: str, changes: dict[str, Any] | None = None) -> State[Any]:
    """Measure the champion on every set of the plan; the report lies in `evaluation-01/`."""
    die_with_worker()
    folder = Path(run)
    try:
        with alone(folder):
            report = measure_champion(load(Path(plan), changes), folder, as_task)
    except BusyError as trouble:
        return Completed(name="Busy", message=str(trouble), data=trouble)
    except TwisterError as trouble:
        return Failed(message=str(trouble), data=trouble)
    create_table_artifact(
        key=f"{key_of(folder)}-evaluation",
        table=dashboard.report_rows(report),
        description=str(report.folder),
    )
    return Completed(message="; ".join(f"{s.name}: WER {s.words}" for s in report.scores))
