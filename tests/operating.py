"""A `twister up` for tests, driven as a person would: commands, signals, and Prefect's API."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest

httpx = pytest.importorskip("httpx")  # comes with Prefect

T = TypeVar("T")
ROOT = Path(__file__).parents[1]
AUTH = "somebody:a-password-in-no-log"
# The console script in one line; -P like there, so that no module of the working directory counts.
TWISTER = [sys.executable, "-P", "-m", "twister_loop.cli.main"]


class Receiver:
    """Server that collects the texts posted to a webhook."""

    def __init__(self) -> None:
        texts: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                texts.append(json.loads(body)["text"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.texts = texts
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/a-token-in-no-log"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Up:
    """Running `twister up` with its server.

    With `auth=None` nobody sets a password, so `up` makes one, and other commands must find it.
    """

    def __init__(
        self, home: Path, *arguments: str | Path, auth: str | None = AUTH, **environment: str
    ) -> None:
        self.home, self.port = home, free_port()
        self.api = f"http://127.0.0.1:{self.port}/api"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        self.environment = inherited | {
            "NO_COLOR": "1",
            "PREFECT_HOME": str(home / "prefect"),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PYTHONPATH": f"{ROOT / 'tests' / 'slowly'}:{ROOT}",
        }
        if auth:
            self.environment["PREFECT_SERVER_API_AUTH_STRING"] = auth
            self.environment["PREFECT_API_AUTH_STRING"] = auth
        self.environment |= environment
        self.log = home / "up.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*TWISTER, "up", "--port", str(self.port), *map(str, arguments)],
                cwd=home,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.until(lambda: "Ctrl-C stops everything" in self.log.read_text(), 300)
        self.password_file = home / "prefect/twister/password"
        user, password = (auth or self.password_file.read_text().strip()).split(":")
        self.client = httpx.Client(base_url=self.api, auth=(user, password), timeout=30)

    def until(self, condition: Callable[[], T], seconds: float = 90) -> T:
        """Poll until the condition is true; return its outcome, or fail with the log's end."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if outcome := condition():
                return outcome
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        raise AssertionError(f"not within {seconds:g} s; the log:\n{self.log.read_text()[-6000:]}")

    def start(self, flow: str, **parameters: Any) -> str:
        """Start a deployment and return the id of the flow run."""
        path = f"/deployments/name/{flow}/twister"
        deployment = self.client.get(path).raise_for_status().json()
        body = {"parameters": {name: str(parameter) for name, parameter in parameters.items()}}
        return str(self.post(f"/deployments/{deployment['id']}/create_flow_run", body)["id"])

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Post JSON and return the answer; retry while the server is busy, as Prefect's client."""
        url = f"{self.api}{path}"
        answer = self.until(
            lambda: a if (a := self.client.post(url, json=body)).status_code != 503 else None
        )
        return answer.raise_for_status().json()

    def state(self, flow_run: str) -> tuple[str, str]:
        """Return name and message of a state; two empty strings while the server is away."""
        state = self._state(flow_run)
        return state.get("name", ""), state.get("message") or ""

    def ended(self, flow_run: str, seconds: float = 90) -> tuple[str, str]:
        """Wait for a final state; return its name and message."""
        final = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED", "PAUSED"}
        self.until(lambda: self._state(flow_run).get("type") in final, seconds)
        return self.state(flow_run)

    def _state(self, flow_run: str) -> dict[str, Any]:
        try:
            answer = self.client.get(f"/flow_runs/{flow_run}").raise_for_status().json()
        except httpx.HTTPError:
            return {}
        return answer["state"] or {}

    def runs(self, flow: str, run: Path) -> list[dict[str, Any]]:
        """Return the flow runs of one experiment that have started, in order."""
        filters = {"flows": {"name": {"any_": [flow]}}, "sort": "START_TIME_ASC"}
        flow_runs = self.post("/flow_runs/filter", filters)
        return [flow_run for flow_run in flow_runs if flow_run["parameters"].get("run") == str(run)]

    def held(self, run: Path) -> int:
        """Wait until a round is held in its training (tests/slowly); return its process id."""
        note = run.with_suffix(".pid")
        self.until(note.exists)
        time.sleep(0.1)  # created, then written
        pid = int(note.read_text())
        note.unlink()
        return pid

    def child(self, command: str) -> int:
        """Return the process id of the server or of the worker."""
        return next(pid for pid in children(self.process.pid) if command in command_of(pid))

    def twister(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run another command against the same server."""
        environment = self.environment | {"PREFECT_API_URL": self.api}
        command = [*TWISTER, *map(str, arguments)]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    def stop(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(90)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    pids = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(") ")[2].split()[1]) == pid:
                pids.append(int(stat.parent.name))
        except OSError:  # it has ended in the meantime
            continue
    return pids


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
