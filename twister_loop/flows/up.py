"""Server, worker, deployments and watch in one command, which all end together."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError
from ..core.processes import die_with_parent
from .deployments import POOL, register
from .password import chosen_password, password_file, set_server_access, stored_password
from .server import listen, start_server, wait_until_healthy
from .watch import POLL_INTERVAL, Watcher

STOP_TIMEOUT = 60.0
"""Seconds that a process may take to end before it is killed."""
MIN_LIFETIME = 20.0
"""Seconds; a process that ends sooner would only end again, so it is not restarted."""

log = logging.getLogger("twister_loop")


@dataclass
class Service:
    """One of Prefect's processes, restarted when it dies and stopped with this process."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0

    def ensure_running(self) -> None:
        """Start the process, or restart it if it has ended.

        Raises:
            ConfigError: It ended within `MIN_LIFETIME`, or the port of the server is in use.
        """
        if self.process is not None and self.process.poll() is None:
            return
        if self.process is not None:
            code, lifetime = self.process.returncode, time.monotonic() - self.started
            if lifetime < MIN_LIFETIME:
                raise ConfigError(
                    f"the {self.name} ended after {lifetime:.0f} s (exit code {code}); "
                    "its messages above say why"
                )
            log.warning("the %s ended (exit code %d); restarting it", self.name, code)
        self.started = time.monotonic()
        self.process = self.start()

    def stop(self) -> None:
        """Terminate the process, and kill it if it does not end within `STOP_TIMEOUT`."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            log.warning(
                "the %s did not end within %.0f s; killing it and its children",
                self.name,
                STOP_TIMEOUT,
            )
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
    """Start server, worker, deployments and watch; stop them all when interrupted.

    The server gets the password that the user has set, or else the one of `password_file`.

    Args:
        url: API address of the server, as this machine reaches it.
        host: Address that the server binds.
        port: Port that the server binds.
        plan: Default plan of the deployments, together with `run`.
        run: Default run folder.
        cron: Schedule of `retrain`, in UTC.
        watch: Fields of a `Watcher`; None watches nothing.
    """
    watcher = Watcher(**watch) if watch else None
    chosen = chosen_password()
    stored_in = None if chosen else password_file()
    set_server_access(url, host, chosen or stored_password())

    def start_on_port() -> subprocess.Popen[bytes]:
        # Bound anew for every start: while the server is down, its port must refuse connections.
        with listen(host, port) as listening:
            return start_server(listening)

    server = Service("server", start_on_port)
    worker = Service("worker", _start_worker)
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, _interrupt)
    try:
        server.ensure_running()
        wait_until_healthy(url, server.ensure_running)
        names = register(plan, run, cron, webhook=os.environ.get("TWISTER_WEBHOOK", ""))
        # After `register`, which creates the work pool that the worker polls.
        worker.ensure_running()
        _print_instructions(url, names, plan, run, stored_in)
        _print_triggers(cron, watcher)
        last_poll = 0.0
        while True:
            server.ensure_running()
            worker.ensure_running()
            if watcher and time.monotonic() - last_poll >= POLL_INTERVAL:
                watcher.poll()
                last_poll = time.monotonic()
            time.sleep(0.5)
    except KeyboardInterrupt:
        log.warning("stopping; a round in progress resumes from disk next time")
        return 0
    finally:
        # A second Ctrl-C must not interrupt the stopping and leave a process behind.
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signal_number, signal.SIG_IGN)
        worker.stop()
        server.stop()


def _start_worker() -> subprocess.Popen[bytes]:
    # -P: the working directory is the user's, and no file of it may be imported.
    command = [sys.executable, "-P", "-m", "prefect", "worker", "start", "--pool", POOL]
    # In a session of its own, so that Ctrl-C reaches this process alone, which then stops the
    # worker before the server.
    return subprocess.Popen(command, preexec_fn=die_with_parent, start_new_session=True)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _print_instructions(
    url: str, names: list[str], plan: str | None, run: str | None, stored_in: Path | None
) -> None:
    # Never the password itself: this output may go to a log file.
    password = f'"$(cat {shlex.quote(str(stored_in))})"' if stored_in else "USER:PASSWORD"
    where = f"is in {stored_in}" if stored_in else "is the one that you have set"
    parameters = f"-p plan={plan} -p run={run}" if plan else "-p plan=PLAN.yaml -p run=RUN"
    sys.stdout.write(
        f"\nPrefect is running at {url.removesuffix('/api')} with {', '.join(names)}\n"
        f"The password that its page asks for {where}\n\n"
        "In another terminal:\n\n"
        f"  export PREFECT_API_URL={url}\n"
        f"  export PREFECT_API_AUTH_STRING={password}\n"
        f"  prefect deployment run retrain/twister {parameters}    # a round, if audio is new\n"
        f"  prefect deployment run round/twister {parameters}      # a round now\n"
        f"  twister status {run or 'RUN'}\n\n"
    )


def _print_triggers(cron: str | None, watcher: Watcher | None) -> None:
    if cron:
        sys.stdout.write(f"Retrains on the schedule {cron} (UTC).\n")
    if watcher:
        sys.stdout.write(f"Retrains when audio arrives in {', '.join(watcher.folders)}.\n")
    sys.stdout.write("Ctrl-C stops everything.\n\n")
    sys.stdout.flush()
