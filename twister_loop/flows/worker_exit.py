"""What becomes of a flow run whose worker has died."""

from __future__ import annotations

from prefect.runtime import deployment
from rich.console import Console

from ..core.processes import die_with_parent


def die_with_worker() -> None:
    """Where a worker began this flow run, have it end with the worker and still say so.

    No round goes on where its worker cannot stop it any more. What it prints then meets a broken
    pipe, at which Rich would end the process before the server has heard that it crashed.
    """
    if deployment.id:
        Console.on_broken_pipe = _go_on  # type: ignore[method-assign]
        die_with_parent()


def _go_on(self: Console) -> None:
    """What was printed is lost; the log lies on the server too."""
