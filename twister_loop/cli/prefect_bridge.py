"""Bridge to the flows: starts `twister_loop.flows` as a process, so that Prefect is not imported.

Flows are the layer above the command line and may not be imported here. A process of its own
also keeps Prefect's exit handlers and signal handlers out of this one.
"""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError
from ..core.processes import die_with_parent
from ..data.corpora.audiofolder import AudioFolder
from ..pipeline.plan import Plan
from .json_output import stdout_of_children

MAX_PORT = 65_535
AUTH_VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"


def is_available() -> bool:
    """Return whether Prefect is installed, without importing it (an import takes seconds)."""
    return find_spec("prefect") is not None


def run_flow(name: str, **parameters: Any) -> int:
    """Run `python -P -m twister_loop.flows NAME` and return its exit code.

    The process ends with this one, even if this one is killed.
    """
    command = _command(name, parameters)
    with subprocess.Popen(
        command, preexec_fn=die_with_parent, stdout=stdout_of_children()
    ) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                # The terminal sends Ctrl-C to the flow as well. Leaving now would kill it before
                # it has reported the interruption and stopped its server.
                continue


def exec_flow(name: str, **parameters: Any) -> int:
    """Replace this process by `python -P -m twister_loop.flows NAME`.

    For services that run for days: the memory of the plan and its engines is released.
    """
    command = _command(name, parameters)
    sys.stdout.flush()
    os.execv(command[0], command)


def experiment_paths(plan: Path | None, run: Path | None) -> dict[str, str]:
    """Return plan and run as absolute paths, because a worker has another working directory.

    Returns:
        `{"plan": ..., "run": ...}`, or an empty dictionary without a plan.

    Raises:
        ConfigError: A plan without a run folder.
    """
    if plan is None:
        return {}
    if run is None:
        raise ConfigError(f"{plan}: the run folder is missing; type PLAN and RUN")
    return {"plan": str(plan.resolve()), "run": str(run.resolve())}


def watch_options(plan: Plan, paths: dict[str, str]) -> dict[str, Any] | None:
    """Return the options of `flows.watch`, or None if no corpus of the pool is a plain folder."""
    folders = [str(corpus.folder) for corpus in plan.pool if isinstance(corpus, AudioFolder)]
    return {**paths, "folders": folders, "settled": plan.new_audio.settled} if folders else None


def check_cron(cron: str | None) -> None:
    """Raise ConfigError if `cron` has not five fields.

    Prefect checks the fields themselves, but only after its import and after the server is up.
    """
    if cron is not None and len(cron.split()) != 5:
        raise ConfigError(
            f'--cron {cron!r}: a schedule has five fields, such as "0 2 * * *" for 2:00 UTC daily'
        )


def check_address(host: str, port: int) -> None:
    """Raise ConfigError for no port, or for a server that others could reach without a password."""
    if port > MAX_PORT:
        raise ConfigError(f"--port {port}: ports end at {MAX_PORT}")
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:  # a host name
        is_local = host == "localhost"
    if not is_local and not os.environ.get(AUTH_VARIABLE):
        raise ConfigError(
            f"--host {host}: anybody who can reach this server can run code on this machine, so "
            f"it needs a password: export {AUTH_VARIABLE}=USER:PASSWORD, and set "
            "PREFECT_API_AUTH_STRING to the same for every client"
        )


def _command(name: str, parameters: dict[str, Any]) -> list[str]:
    if not is_available():
        raise ConfigError("this command needs Prefect: pip install 'twister-loop[flows]'")
    # -P keeps the working directory off the module path: a folder `twister_loop` or a file
    # `prefect.py` of the user's must not be imported.
    return [sys.executable, "-P", "-m", "twister_loop.flows", name, json.dumps(parameters)]
