"""Exit of a flow run whose worker was killed."""

from __future__ import annotations

from prefect.runtime import deployment
from rich.console import Console

from ..core.processes import die_with_parent


def exit_with_worker() -> None:
    """End this flow run when its worker ends, and let it report the crash to the server first.

    Only flow runs that a worker started are affected: no round should continue where its worker
    can no longer cancel it.
    """
    if deployment.id:
        # The worker reads the output of its flow runs through a pipe. With the worker gone, Rich
        # would exit at the first broken pipe, before the server receives the state `Crashed`.
        Console.on_broken_pipe = _ignore_broken_pipe  # type: ignore[method-assign]
        die_with_parent()


def _ignore_broken_pipe(self: Console) -> None:
    # Nothing is lost but the terminal output: the server has the log too.
    pass
