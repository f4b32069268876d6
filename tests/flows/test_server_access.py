"""Access to the servers that are started here: password, host and origin of requests."""

import os
import re
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests import world as toy
from twister_loop.pipeline.run_folder import RunFolder

pytest.importorskip("prefect")

from tests.operating import ROOT, TWISTER, Up, alive, children, command_of, httpx

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(600)]

READING = ["/admin/version", "/work_pools/twister", "/deployments/name/round/twister", "/docs"]
WRITING = ["/flow_runs/filter", "/deployments/", "/flow_runs/", "/work_pools/", "/automations/"]
FOREIGN_HOSTS = ["evil.example", "evil.example:{port}", "127.0.0.1", "localhost:1", "a@127.0.0.1"]
FOREIGN_ORIGINS = ["http://evil.example", "null", "http://127.0.0.1:1", "https://localhost:{port}"]


def check_access(address: str, password: str) -> None:
    """Check that a server answers its own clients only."""
    # One client: each would read the certificates again. A busy machine answers late.
    with httpx.Client(timeout=60) as client:
        port = address.rpartition(":")[2]
        api = f"{address}/api"
        auth = httpx.BasicAuth(*password.split(":"))
        for path in READING:
            assert client.get(f"{api}{path}").status_code == 401
            assert client.get(f"{api}{path}", auth=("twister", "wrong")).status_code == 401
        for path in WRITING:
            assert client.post(f"{api}{path}", json={}).status_code == 401
        assert client.get(f"{api}/admin/version", auth=auth).status_code == 200
        assert client.get(f"{api}/health").status_code == 200
        assert client.get(f"{api}/health", headers={"Host": f"localhost:{port}"}).status_code == 200
        for path in (
            "/api/health",
            "/api/admin/version",
            "/api/missing",
            "/openapi.json",
            "/missing",
        ):
            for host in FOREIGN_HOSTS:
                headers = {"Host": host.format(port=port)}
                assert client.get(f"{address}{path}", headers=headers, auth=auth).status_code == 400
            for origin in FOREIGN_ORIGINS:
                headers = {"Origin": origin.format(port=port)}
                for login in (None, auth):
                    answer = client.get(f"{address}{path}", headers=headers, auth=login)
                    assert answer.status_code == 403
                    assert "access-control-allow-origin" not in answer.headers
                headers["Access-Control-Request-Method"] = "POST"
                preflight = client.options(f"{address}{path}", headers=headers)
                assert preflight.status_code == 403
                assert "access-control-allow-origin" not in preflight.headers
            headers = {"Origin": f"http://localhost:{port}"}
            answer = client.get(f"{address}{path}", headers=headers, auth=auth)
            assert answer.headers["access-control-allow-origin"] == headers["Origin"]
        websocket = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        websocket |= {
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            "Origin": "http://evil.example",
        }
        assert client.get(f"{api}/events/in", headers=websocket).status_code == 403
        del websocket["Origin"]  # and without the password no event may be sent
        assert client.get(f"{api}/events/in", headers=websocket).status_code == 403


def check_that_nobody_reads(secret: str, home: Path, *files: Path) -> None:
    """Check that the secret is in no process argument, no database and none of the files."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            assert secret not in command_of(int(process.name))
        except OSError:  # it has ended in the meantime
            continue
    [database] = (home / "prefect").glob("*.db")
    with sqlite3.connect(database) as connection:
        assert secret not in "\n".join(connection.iterdump())
    for path in files:
        assert secret.encode() not in path.read_bytes(), path


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    up = Up(tmp_path_factory.mktemp("access"), auth=None)
    yield up
    up.stop(signal.SIGKILL)


def test_up_makes_a_password_and_answers_its_own_clients_only(up: Up) -> None:
    assert up.password_file.stat().st_mode & 0o777 == 0o600
    assert up.password_file.parent.stat().st_mode & 0o777 == 0o700
    check_access(up.api.removesuffix("/api"), up.password_file.read_text().strip())


def test_a_decision_reaches_the_server_of_up_without_exporting_its_password(up: Up) -> None:
    plan, run = toy.build(up.home / "decided"), up.home / "decided/run"
    with plan.open("a") as file:
        file.write("\napproval: true\n")
    text = "\n".join(line for line in plan.read_text().splitlines() if "gates:" not in line)
    plan.write_text(f"{text}\ngates: []\n")
    process = up.twister("round", plan, run)
    assert process.returncode == 0, process.stderr
    flow_run = up.until(lambda: up.runs("promote", run))[0]["id"]
    up.until(lambda: up.state(flow_run)[0] == "Suspended")
    process = up.twister("refuse", run, "--note", "no better")
    assert process.returncode == 0, process.stderr
    name, message = up.state(flow_run)
    assert name == "Completed" and message.startswith("round 1: refused by ")
    assert RunFolder.read(run).champion is None
    secret = up.password_file.read_text().strip().partition(":")[2]
    check_that_nobody_reads(secret, up.home, up.log, *filter(Path.is_file, run.rglob("*")))


def test_a_wrong_password_is_reported_in_one_sentence(up: Up) -> None:
    command = [*TWISTER, "deploy"]
    environment = up.environment | {"PREFECT_API_URL": up.api, "PREFECT_API_AUTH_STRING": "a:b"}
    process = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert process.returncode == 1 and "Traceback" not in process.stderr
    assert "export PREFECT_API_AUTH_STRING" in process.stderr.splitlines()[-1]


def test_the_next_up_uses_the_same_password_unless_others_could_read_it(up: Up) -> None:
    from prefect.settings import PREFECT_HOME, temporary_settings

    from twister_loop.flows.password import stored_password

    password = up.password_file.read_text()
    assert up.stop() == 0
    with temporary_settings({PREFECT_HOME: up.home / "prefect"}):
        assert stored_password() == password.strip()
    up.password_file.chmod(0o644)
    again = Up(up.home, auth=None)
    assert again.client.get("/admin/version").status_code == 200
    assert again.stop() == 0 and again.password_file.read_text() != password
    assert again.password_file.stat().st_mode & 0o777 == 0o600
    assert "was not private" in again.log.read_text()


def test_up_on_a_port_in_use_ends_and_writes_nothing_to_the_other_server(tmp_path: Path) -> None:
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(f"{self.command} {self.path}")
            self.send_response(200)
            self.end_headers()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = os.environ | {"PREFECT_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    for host in ("127.0.0.1", "localhost"):
        command = [*TWISTER, "up", "--host", host, "--port", str(server.server_port)]
        process = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True
        )
        assert process.returncode == 2 and requests == []
        [sentence] = process.stderr.splitlines()
        assert f"port {server.server_port} of {host} is in use" in sentence
    server.shutdown()
    server.server_close()


def test_the_temporary_server_of_a_round_is_as_closed_and_ends_with_it(tmp_path: Path) -> None:
    plan, run = toy.build(tmp_path), tmp_path / "run"
    run.with_suffix(".hold").touch()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    environment |= {"PREFECT_HOME": str(tmp_path / "prefect"), "NO_COLOR": "1"}
    environment |= {"PYTHONPATH": f"{ROOT / 'tests' / 'slowly'}:{ROOT}"}
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [*TWISTER, "round", str(plan), str(run), "--prefect"],
            cwd=tmp_path,
            env=environment,
            stdout=file,
            stderr=file,
        )
    deadline = time.monotonic() + 120
    while not run.with_suffix(".pid").exists():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    [flow] = children(process.pid)
    [server] = [pid for pid in children(flow) if "sqlite_server" in command_of(pid)]
    variables = Path(f"/proc/{server}/environ").read_bytes().decode().split("\0")
    [password] = [
        variable.partition("=")[2]
        for variable in variables
        if variable.startswith("PREFECT_SERVER_API_AUTH_STRING=")
    ]
    [address] = re.findall(r"http://127\.0\.0\.1:\d+", log.read_text())
    check_access(address, password)
    files = [path for path in run.rglob("*") if path.is_file()]
    check_that_nobody_reads(password.partition(":")[2], tmp_path, log, *files)
    os.kill(flow, signal.SIGKILL)
    process.wait(30)
    deadline = time.monotonic() + 30
    while alive(server):
        assert time.monotonic() < deadline, "the server outlives its round"
        time.sleep(0.1)


def test_a_page_that_the_user_names_may_use_the_server_but_no_star(
    tmp_path: Path,
) -> None:
    from twister_loop.flows.request_guard import RequestGuard

    environment = os.environ | {"PREFECT_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        [*TWISTER, "up", "--port", "4399"],
        env=environment | {"PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "*"},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 2 and "a * lets every web page" in process.stderr
    guard = RequestGuard(None, "http://127.0.0.1:4200,https://twister.example.com")  # type: ignore[arg-type]
    scope = {"type": "http", "server": ("192.0.2.7", 4200)}

    def refusal(**headers: str) -> int | None:
        pairs = [(name.encode(), text.encode()) for name, text in headers.items()]
        answer = guard._refusal({**scope, "headers": pairs})
        return answer.status_code if answer else None

    page = "https://twister.example.com"
    assert refusal(host="twister.example.com") is refusal(host="192.0.2.7:4200") is None
    assert refusal(host="twister.example.com", origin=page) is None
    assert refusal(host="evil.example", origin=page) == refusal() == 400
    assert refusal(host="127.0.0.1:4200", origin="https://evil.example") == 403
