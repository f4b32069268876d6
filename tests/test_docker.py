"""Tests of docker/ without Docker: its files, and its services as plain processes."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml

from twister_loop.reporting.summary import summarize

from . import world as toy

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
SLOWLY = ROOT / "tests" / "slowly"
LINES = re.sub(r"\\\n", " ", (DOCKER / "Dockerfile").read_text()).splitlines()
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
T = TypeVar("T")

SECRET = re.compile(r"PASSWORD|AUTH|TOKEN")
VARIABLE = re.compile(r"\$\{(\w+):([?-])[^}]*\}")


def instructions(name: str) -> list[str]:
    """Return the arguments of every instruction of this name in the Dockerfile."""
    return [line.split(maxsplit=1)[1] for line in LINES if line.startswith(f"{name} ")]


def test_the_compose_files_match_the_specification() -> None:
    pytest.importorskip("check_jsonschema", reason="comes with the extra `dev`")
    files = [DOCKER / "compose.yaml", DOCKER / "compose.cuda.yaml"]
    command = [sys.executable, "-m", "check_jsonschema"]
    command += ["--builtin-schema", "vendor.compose-spec", *map(str, files)]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout


def test_files_that_the_image_copies_exist_and_are_not_ignored() -> None:
    patterns = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    for line in instructions("COPY"):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists()
            assert f"!{source}" in patterns
    included = [line for line in patterns if line.startswith("!")]
    assert "*" in patterns and not any("docker" in line for line in included)


def test_the_image_takes_its_versions_from_constraints_txt() -> None:
    pinned = {line.partition("==")[0] for line in (ROOT / "constraints.txt").open() if "==" in line}
    installs = [command for command in instructions("RUN") if "pip install" in command]
    for command in installs:
        assert "-c constraints.txt" in command and "==" not in command
    torch_packages = re.findall(r"\b(torch\w*)\b(?=[ \n])", installs[0])
    assert {"torch", "torchaudio", "torchcodec"} == set(torch_packages) <= pinned
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [extra] = [arg.partition("=")[2] for arg in instructions("ARG") if "EXTRAS" in arg]
    assert extra in project["optional-dependencies"]
    [image] = instructions("FROM")
    tags = [image, SERVICES["database"]["image"]]
    assert all(re.fullmatch(r"\w+:\d+\.\d+(\.\d+)?(-\w+)*", tag) for tag in tags)


def test_the_image_runs_as_an_unprivileged_user_and_has_a_health_check() -> None:
    assert instructions("USER") == ["twister"]
    assert "useradd" in " ".join(instructions("RUN")) and instructions("HEALTHCHECK")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_a_health_check_restarts_and_is_bound_to_loopback(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped" and service["healthcheck"]["test"][0] == "CMD"
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    for volume in service.get("volumes", []):
        assert (
            volume.partition(":")[0] in COMPOSE["volumes"] or volume == "${DATA:-./data}:/data:ro"
        )
    for dependency, condition in service.get("depends_on", {}).items():
        assert dependency in SERVICES and condition == {"condition": "service_healthy"}


def test_secrets_come_from_variables_and_are_in_no_file() -> None:
    example = (DOCKER / "example.env").read_text().splitlines()
    required = set()
    for service in SERVICES.values():
        for key, text in service["environment"].items():
            required |= {name for name, kind in VARIABLE.findall(text) if kind == "?"}
            if SECRET.search(key):
                assert VARIABLE.fullmatch(text), key
    assignments = {line for line in example if line[:1] not in {"", "#"}}
    assert {f"{name}=" for name in required} == assignments
    assert "docker/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_only_pages_of_the_server_itself_may_use_it() -> None:
    origins = SERVICES["server"]["environment"]["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"]
    assert origins == "http://127.0.0.1:4200,http://localhost:4200"


class Topology:
    """Services of compose.yaml as processes of this machine, with the same environment."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self.home, self.stack = home, stack
        self.ports = {name: _free_port() for name in ("database", "server")}
        self.secrets = {"POSTGRES_PASSWORD": "fromafile", "PREFECT_AUTH": "me:secret"}

    def environment(self, name: str, number: int = 0) -> dict[str, str]:
        """Return the environment of a service, with host names of services made local."""
        declared = {
            key: self._local(VARIABLE.sub(lambda match: self.secrets[match[1]], text))
            for key, text in SERVICES[name]["environment"].items()
        }
        inherited = {key: text for key, text in os.environ.items() if "PREFECT" not in key}
        home = {
            "PREFECT_HOME": str(self.home / f"{name}-{number}"),
            "PYTHONPATH": f"{SLOWLY}:{ROOT}",
        }
        off = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
        port = {"PREFECT_WORKER_WEBSERVER_PORT": str(_free_port())}
        return {**inherited, **home, **off, **port, **declared}

    def start(self, name: str, number: int = 0) -> subprocess.Popen[bytes]:
        """Start a service with its own command."""
        service, port = SERVICES[name], str(self.ports.get(name))
        words = [*service["entrypoint"], *service["command"]]
        words = [{"0.0.0.0": "127.0.0.1", "4200": port}.get(word, word) for word in words]
        command = [sys.executable, "-m", *words]
        return self._process(f"{name}-{number}", command, self.environment(name, number))

    def log(self, process: str) -> str:
        return (self.home / f"{process}.log").read_text()

    def start_database(self) -> None:
        """Start Debian's PostgreSQL in a folder of its own, as another user: it refuses root."""
        data = self.home / "database"
        data.mkdir()
        as_another: list[str] = []
        if os.getuid() == 0:
            shutil.chown(data, "postgres", "postgres")
            as_another = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        password = data / "password"
        password.write_text(self.secrets["POSTGRES_PASSWORD"])
        user = SERVICES["database"]["environment"]["POSTGRES_USER"]
        make = ["initdb", "-D", str(data / "pg"), "-U", user, f"--pwfile={password}"]
        make += ["--auth=scram-sha-256", "--no-sync"]
        subprocess.run([*as_another, *make], check=True, cwd=data, stdout=subprocess.DEVNULL)
        run = ["postgres", "-D", str(data / "pg"), "-p", str(self.ports["database"])]
        run += ["-k", str(data), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        self._process("database-0", [*as_another, *run], dict(os.environ), data)
        self.sql("create database prefect", database="postgres")

    def sql(self, query: str, database: str = "prefect") -> str:
        """Run a query as soon as the database answers, and return its output."""
        login = {"PGPASSWORD": self.secrets["POSTGRES_PASSWORD"]}
        where = ["-h", "127.0.0.1", "-p", str(self.ports["database"]), "-U", "prefect"]
        command = ["psql", *where, "-d", database, "-At", "-c", query]

        def query_once() -> str | None:
            process = subprocess.run(
                command, env={**os.environ, **login}, capture_output=True, text=True
            )
            # `create database` succeeds with its notice on one stream or the other.
            return process.stdout.strip() or process.stderr * (not process.returncode) or None

        return _within(60, query_once)

    def healthy(self, url: str) -> bool:
        with suppress(URLError, OSError):
            return bool(urlopen(url, timeout=5).status == 200)
        return False

    def prefect(self, code: str) -> str:
        """Run Python code as a client of the server, and return its output."""
        process = subprocess.run(
            [sys.executable, "-c", code],
            env=self.environment("worker", 99), cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        assert process.returncode == 0, process.stderr
        return process.stdout.strip()

    def _local(self, text: str) -> str:
        for name, port in (("database", 5432), ("server", 4200)):
            text = text.replace(f"{name}:{port}", f"127.0.0.1:{self.ports[name]}")
        return text

    def _process(
        self, name: str, command: list[str], environment: dict[str, str], cwd: Path = ROOT
    ) -> subprocess.Popen[bytes]:
        log = self.stack.enter_context((self.home / f"{name}.log").open("ab"))
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=log, stderr=log)
        self.stack.callback(_end, process)
        return process


@pytest.fixture
def topology() -> Iterator[Topology]:
    if not (shutil.which("initdb") and shutil.which("postgres") and shutil.which("psql")):
        pytest.skip("PostgreSQL is not installed (Debian: postgresql; its bin folder on the PATH)")
    with _open_folder() as home, ExitStack() as stack:
        yield Topology(home, stack)


REGISTER = """
import sys
from pathlib import Path
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.deployments import run_deployment
from prefect.deployments.runner import EntrypointType
from twister_loop.flows.refine import one_round

with get_client(sync_client=True) as client:
    client.create_work_pool(WorkPoolCreate(name="twister", type="process"))
deployment = one_round.to_deployment(
    "twister", work_pool_name="twister", entrypoint_type=EntrypointType.MODULE_PATH,
    job_variables={{"working_dir": {root!r}}},
)
deployment.apply()
for run in ("first", "second"):
    parameters = {{"plan": {plan!r}, "run": {runs!r} + "/" + run}}
    print(run_deployment("round/twister", parameters=parameters, timeout=0).id)
"""


@pytest.mark.prefect
@pytest.mark.timeout(900)
def test_two_workers_finish_two_rounds_with_postgresql_behind_the_server(
    topology: Topology, tmp_path: Path
) -> None:
    pytest.importorskip("asyncpg")
    plan = toy.build(tmp_path)
    topology.start_database()
    topology.start("server")
    api = topology.environment("worker")["PREFECT_API_URL"]
    _within(180, lambda: topology.healthy(f"{api}/health"))
    with pytest.raises(URLError, match="401"):
        urlopen(f"{api}/admin/version", timeout=10)
    runs = [tmp_path / "first", tmp_path / "second"]
    for run in runs:
        run.with_suffix(".hold").touch()
    topology.prefect(REGISTER.format(root=str(ROOT), plan=str(plan), runs=str(tmp_path)))
    for number in range(2):
        topology.start("worker", number)
    # A worker runs one round at a time, so both rounds are in progress only if both workers work.
    _within(400, lambda: all(run.with_suffix(".pid").exists() for run in runs))
    for run in runs:
        run.with_suffix(".hold").unlink()
    ended = "select count(*) from flow_run where state_type = 'COMPLETED'"
    _within(400, lambda: topology.sql(ended) == "2")
    for run in runs:
        assert [round_.accepted for round_ in summarize(run).rounds] == [True]
    assert all("submitting flow run" in topology.log(f"worker-{number}") for number in range(2))
    # Every stage is a task run; the server writes them to the database with a delay.
    _within(60, lambda: int(topology.sql("select count(*) from task_run")) >= 2 * 16)


@contextmanager
def _open_folder() -> Iterator[Path]:
    """Make a folder with a short path that another user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="twister-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        # All results are checked by now. Compose gives 10 s; a worker takes more than 30.
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _within(seconds: float, query: Callable[[], T | None]) -> T:
    """Poll until the query has a true answer, and return it."""
    deadline = time.monotonic() + seconds
    while not (answer := query()):
        assert time.monotonic() < deadline, f"no answer within {seconds:g} s"
        time.sleep(0.5)
    return answer
