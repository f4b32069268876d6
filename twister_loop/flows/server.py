"""Start of Prefect servers, for days (`twister up`) or for one command (`run`, `round`)."""

from __future__ import annotations

import atexit
import errno
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import httpx
from prefect.logging.configuration import setup_logging

from ..core.errors import ConfigError, TwisterError
from ..core.processes import die_with_parent
from .password import chosen_password, make_password, set_server_access

START_TIMEOUT = 300.0
"""Seconds that a server may take to start; its first start creates the database."""
STOP_TIMEOUT = 10.0
"""Seconds that a temporary server may take to end before it is killed."""
TEMPORARY = {
    # Prefect's names for a server without schedules, automations and pages.
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT_SERVER_UI_ENABLED": "false",
}

# Prefect's own logger: the address is shown as Prefect shows that of its temporary servers.
log = logging.getLogger("prefect")


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the address, for a server that inherits it.

    The server is started after its port is held, so no other server can answer in its place.

    Raises:
        ConfigError: The port is in use, or the address is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server(
            (host, port), family=family, backlog=2048, dualstack_ipv6=host == "::"
        )
    except (OSError, OverflowError) as cause:
        if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} of {host} is in use by another server, which is left as it is; end "
                "that one, or choose another --port"
            ) from cause
        raise ConfigError(f"cannot listen on {host}, port {port}: {cause}") from cause


def start_server(listening: socket.socket, **environment: str) -> subprocess.Popen[bytes]:
    """Start a server that answers on the socket and ends with this process."""
    # -P: the working directory is the user's, and no file of it may be imported.
    command = [sys.executable, "-P", "-m", "twister_loop.flows.sqlite_server"]
    return subprocess.Popen(
        [*command, "--descriptor", str(listening.fileno())],
        env=os.environ | environment,
        pass_fds=[listening.fileno()],
        preexec_fn=die_with_parent,
        # In a session of its own, so that Ctrl-C does not reach it before its clients.
        start_new_session=True,
    )


def wait_until_healthy(url: str, check: Callable[[], object]) -> None:
    """Wait for a server's health check.

    Args:
        url: API address of the server.
        check: Called while it starts; raises if its process has ended.

    Raises:
        ConfigError: It does not start within `START_TIMEOUT`.
    """
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health", timeout=2).status_code == 200:
                return
        check()
        time.sleep(0.1)
    raise ConfigError(f"the server at {url} did not start within {START_TIMEOUT:.0f} s")


def start_temporary_server() -> Callable[[], None]:
    """Start a server on a free port of 127.0.0.1 that ends with this process.

    Prefect's own temporary server has no password and survives its parent's `kill -9`.

    Returns:
        Function that waits until the server answers. Call it after the imports, which take as
        long as the server's start.
    """
    with listen("127.0.0.1", 0) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        url = f"{address}/api"
        os.environ["PREFECT_UI_URL"] = ""  # no links to pages, which this server does not have
        set_server_access(url, "127.0.0.1", chosen_password() or make_password())
        process = start_server(listening, **TEMPORARY)
    atexit.register(_stop, process)

    def check() -> None:
        if process.poll() is not None:
            raise TwisterError(
                f"the temporary Prefect server ended with code {process.returncode}; its messages "
                "above say why"
            )

    def wait() -> None:
        setup_logging()  # Prefect does so later, when the flow starts
        log.info("Starting temporary server on %s", address)
        wait_until_healthy(url, check)

    return wait


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
