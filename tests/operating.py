"""A `twister up` of a test's own, spoken to as a person would: commands, signals, and the API."""

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

import httpx

T = TypeVar("T")
ROOT = Path(__file__).parents[1]
AUTH = "somebody:a-password-in-no-log"


class Receiver:
    """What a webhook was told."""

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
    """The running command and its server."""

    def __init__(self, home: Path, *arguments: str | Path, **environment: str) -> None:
        self.home, self.port = home, free_port()
        self.api = f"http://127.0.0.1:{self.port}/api"
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        self.environment = clean | {
            "NO_COLOR": "1",
            "PREFECT_HOME": str(home / "prefect"),
            "PREFECT_SERVER_API_AUTH_STRING": AUTH,
            "PREFECT_API_AUTH_STRING": AUTH,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PYTHONPATH": f"{ROOT / 'tests' / 'slowly'}:{ROOT}",
        }
        self.environment |= environment
        self.client = httpx.Client(base_url=self.api, auth=tuple(AUTH.split(":")), timeout=30)
        self.log = home / "up.log"
        command = [sys.executable, "-m", "twister_loop.cli.main", "up", "--port", str(self.port)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, *map(str, arguments)],
                cwd=home,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.until(lambda: "Ctrl-C stops everything" in self.log.read_text(), 300)

    def until(self, holds: Callable[[], T], seconds: float = 90) -> T:
        """Wait until something holds, and give it; what the command said explains a failure."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := holds():
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        raise AssertionError(f"it did not come to pass:\n{self.log.read_text()[-6000:]}")

    def start(self, flow: str, **parameters: Any) -> str:
        """Have a deployment run; give the number of the flow run."""
        found = self.client.get(f"/deployments/name/{flow}/twister").raise_for_status().json()
        given = {"parameters": {name: str(value) for name, value in parameters.items()}}
        return str(self.post(f"/deployments/{found['id']}/create_flow_run", given)["id"])

    def post(self, path: str, given: dict[str, Any]) -> Any:
        """Ask again while the server says that it is busy, as Prefect's own client does."""
        url = f"{self.api}{path}"
        answer = self.until(
            lambda: a if (a := self.client.post(url, json=given)).status_code != 503 else None
        )
        return answer.raise_for_status().json()

    def state(self, flow_run: str) -> tuple[str, str]:
        """Name and message; nothing while the server is away."""
        found = self._state(flow_run)
        return found.get("name", ""), found.get("message") or ""

    def ended(self, flow_run: str, seconds: float = 90) -> tuple[str, str]:
        """Wait for a state that leads to no other by itself; its name and message."""
        final = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED", "PAUSED"}
        self.until(lambda: self._state(flow_run).get("type") in final, seconds)
        return self.state(flow_run)

    def _state(self, flow_run: str) -> dict[str, Any]:
        try:
            found = self.client.get(f"/flow_runs/{flow_run}").raise_for_status().json()
        except httpx.HTTPError:
            return {}
        return found["state"] or {}

    def runs(self, flow: str, run: Path) -> list[dict[str, Any]]:
        """All runs of a flow for one experiment that were not only planned."""
        filters = {"flows": {"name": {"any_": [flow]}}, "sort": "START_TIME_ASC"}
        found = self.post("/flow_runs/filter", filters)
        return [each for each in found if each["parameters"].get("run") == str(run)]

    def held(self, run: Path) -> int:
        """Wait until a round of this run waits in its training; give the process."""
        note = run.with_suffix(".pid")
        self.until(note.exists)
        time.sleep(0.1)
        pid = int(note.read_text())
        note.unlink()
        return pid

    def child(self, name: str) -> int:
        """The process of the server or of the worker."""
        return next(pid for pid in children(self.process.pid) if name in command_of(pid))

    def twister(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "twister_loop.cli.main", *map(str, arguments)]
        environment = self.environment | {"PREFECT_API_URL": self.api}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    def stop(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(90)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(each.read_text().rpartition(") ")[2].split()[1]) == pid:
                found.append(int(each.parent.name))
        except OSError:
            continue
    return found


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
