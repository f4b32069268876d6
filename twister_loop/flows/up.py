"""Server, worker, deployments and watch with one command; all of it ends with it."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from .. import ConfigError
from ..core.processes import die_with_parent
from .deployments import POOL, register
from .watch import EVERY, Watcher

READY = 300.0
"""Seconds that a server may take to start; its first start makes the database."""
GRACE = 60.0
"""Seconds that a process may take to end."""
BRIEF = 20.0
"""Seconds; what ends sooner after its start would only do so again."""

log = logging.getLogger("twister_loop")


@dataclass
class Service:
    """One of Prefect's processes, kept alive and ended with this one."""

    name: str
    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0

    def keep(self) -> None:
        """Start it, or start it again where it has died.

        Raises ConfigError where it died at once, as on a port that is in use.
        """
        if self.process is not None and self.process.poll() is None:
            return
        if self.process is not None:
            code, lived = self.process.returncode, time.monotonic() - self.began
            if lived < BRIEF:
                raise ConfigError(f"the {self.name} ended at once (exit code {code}), see above")
            log.warning("the %s ended (exit code %d) and is started again", self.name, code)
        command = [sys.executable, "-P", "-m", *self.arguments]
        self.began = time.monotonic()
        # In a session of its own, so that Ctrl-C is ours and the order of ending too.
        self.process = subprocess.Popen(command, preexec_fn=die_with_parent, start_new_session=True)

    def end(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            log.warning("the %s does not end, so it is killed", self.name)
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def up(
    url: str,
    host: str,
    port: int,
    plan: str | None = None,
    run: str | None = None,
    cron: str | None = None,
    watch: dict[str, Any] | None = None,
) -> int:
    """Start everything, say what to type next, and end everything when interrupted."""
    watcher = Watcher(**watch) if watch else None
    server = Service(
        "server",
        (
            "twister_loop.flows.sqlite_server",
            "server",
            "start",
            "--host",
            host,
            "--port",
            str(port),
        ),
    )
    worker = Service("worker", ("prefect", "worker", "start", "--pool", POOL))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        server.keep()
        _wait(url, server)
        names = register(plan, run, cron, os.environ.get("TWISTER_WEBHOOK", ""))
        worker.keep()
        _say(url, names, plan, run, cron, watcher)
        looked = 0.0
        while True:
            server.keep()
            worker.keep()
            if watcher and time.monotonic() - looked >= EVERY:
                watcher.look()
                looked = time.monotonic()
            time.sleep(0.5)
    except KeyboardInterrupt:
        log.warning("stopping; a round in progress goes on from disk next time")
        return 0
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        worker.end()
        server.end()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _say(
    url: str,
    names: list[str],
    plan: str | None,
    run: str | None,
    cron: str | None,
    watcher: Watcher | None,
) -> None:
    experiment = f"-p plan={plan} -p run={run}" if plan else "-p plan=PLAN.yaml -p run=RUN"
    say = sys.stdout.write
    say(f"\n{url.removesuffix('/api')} is up, with {', '.join(names)}\n\n")
    if cron:
        say(f"  retrains when the schedule says:  {cron} (UTC)\n")
    if watcher:
        say(f"  retrains when audio comes into:   {', '.join(watcher.folders)}\n")
    say("\nIn another terminal:\n\n")
    say(f"  export PREFECT_API_URL={url}\n")
    say(f"  prefect deployment run retrain/twister {experiment}    # a round, if there is news\n")
    say(f"  prefect deployment run round/twister {experiment}      # a round, at once\n")
    say(f"  twister status {run or 'RUN'}\n\nCtrl-C stops everything.\n\n")
    sys.stdout.flush()


def _wait(url: str, server: Service) -> None:
    """Until the server answers. Raises ConfigError where it ends instead."""
    until = time.monotonic() + READY
    while time.monotonic() < until:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health", timeout=2).status_code == 200:
                return
        server.keep()
        time.sleep(0.2)
    raise ConfigError(f"no server at {url} within {READY:.0f} s")
