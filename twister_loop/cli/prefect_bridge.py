"""Hands a command over to the flows, which live above this library and are only called."""

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

AUTH = "PREFECT_SERVER_API_AUTH_STRING"


def available() -> bool:
    return find_spec("prefect") is not None


def hand_over(name: str, **given: Any) -> int:
    """Run `python -P -m twister_loop.flows NAME`, wait for it, and give its exit code.

    Ctrl-C reaches it too, so it is left to end in order; it does not outlive this process.
    """
    with subprocess.Popen(_command(name, given), preexec_fn=die_with_parent) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue


def become(name: str, **given: Any) -> int:
    """Turn this process into it: for what runs for days, and needs nothing of what is loaded."""
    command = _command(name, given)
    sys.stdout.flush()
    os.execv(command[0], command)


def experiment(plan: Path | None, run: Path | None) -> dict[str, str]:
    """Plan and run with absolute paths, as a worker needs them. Raises ConfigError."""
    if plan is None:
        return {}
    if run is None:
        raise ConfigError(f"{plan}: name the folder of its run too: PLAN RUN")
    return {"plan": str(plan.resolve()), "run": str(run.resolve())}


def to_watch(plan: Plan, known: dict[str, str]) -> dict[str, Any] | None:
    """What a watch needs to know; None where the pool has no folder to look at."""
    folders = [str(each.folder) for each in plan.pool if isinstance(each, AudioFolder)]
    return {**known, "folders": folders, "settled": plan.new_audio.settled} if folders else None


def check_cron(cron: str | None) -> None:
    """Raises ConfigError where it cannot be a schedule; Prefect looks closer."""
    if cron is not None and len(cron.split()) != 5:
        raise ConfigError(f'--cron {cron!r}: no five fields, such as "0 2 * * *" for two at night')


def check_host(host: str) -> None:
    """Raises ConfigError where a server without a password would leave this machine."""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local and not os.environ.get(AUTH):
        raise ConfigError(
            f"--host {host}: whoever reaches this server runs code here, so it needs a password "
            f"before it leaves the machine: export {AUTH}=USER:PASSWORD, and "
            "PREFECT_API_AUTH_STRING with the same for those who use it"
        )


def _command(name: str, given: dict[str, Any]) -> list[str]:
    if not available():
        raise ConfigError("this needs Prefect: pip install 'twister-loop[flows]'")
    return [sys.executable, "-P", "-m", "twister_loop.flows", name, json.dumps(given)]
