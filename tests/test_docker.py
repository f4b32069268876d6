"""What can be proved of docker/ without Docker: its files, and its services as plain processes."""

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
ASKED = re.compile(r"\$\{(\w+):([?-])[^}]*\}")


def instructions(name: str) -> list[str]:
    return [line.split(maxsplit=1)[1] for line in LINES if line.startswith(f"{name} ")]


def test_the_compose_files_are_what_the_specification_allows() -> None:
    pytest.importorskip("check_jsonschema", reason="an extra of development")
    files = [DOCKER / "compose.yaml", DOCKER / "compose.cuda.yaml"]
    command = [sys.executable, "-m", "check_jsonschema"]
    command += ["--builtin-schema", "vendor.compose-spec", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    kept = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    for line in instructions("COPY"):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists()
            assert f"!{source}" in kept
    assert "*" in kept and not any("docker" in line for line in kept if line.startswith("!"))


def test_the_image_takes_its_versions_from_the_constraints_alone() -> None:
    pinned = {line.partition("==")[0] for line in (ROOT / "constraints.txt").open() if "==" in line}
    installs = [each for each in instructions("RUN") if "pip install" in each]
    for each in installs:
        assert "-c constraints.txt" in each and "==" not in each
    named = re.findall(r"\b(torch\w*)\b(?=[ \n])", installs[0])
    assert {"torch", "torchaudio", "torchcodec"} == set(named) <= pinned
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [extra] = [each.partition("=")[2] for each in instructions("ARG") if "EXTRAS" in each]
    assert extra in project["optional-dependencies"]
    [image] = instructions("FROM")
    tags = [image, SERVICES["database"]["image"]]
    assert all(re.fullmatch(r"\w+:\d+\.\d+(\.\d+)?(-\w+)*", tag) for tag in tags)


def test_the_image_runs_as_nobody_in_particular_and_says_how_it_is() -> None:
    assert instructions("USER") == ["twister"]
    assert "useradd" in " ".join(instructions("RUN")) and instructions("HEALTHCHECK")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_watched_restarted_and_reached_from_here_alone(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped" and service["healthcheck"]["test"][0] == "CMD"
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    for volume in service.get("volumes", []):
        assert (
            volume.partition(":")[0] in COMPOSE["volumes"] or volume == "${DATA:-./data}:/data:ro"
        )
    for other, how in service.get("depends_on", {}).items():
        assert other in SERVICES and how == {"condition": "service_healthy"}


def test_secrets_are_asked_for_and_stand_nowhere() -> None:
    example = (DOCKER / "example.env").read_text().splitlines()
    asked = set()
    for service in SERVICES.values():
        for key, value in service["environment"].items():
            asked |= {name for name, kind in ASKED.findall(value) if kind == "?"}
            if SECRET.search(key):
                assert ASKED.fullmatch(value), key
    assert {f"{name}=" for name in asked} == {line for line in example if line[:1] not in {"", "#"}}
    assert "docker/.env" in (ROOT / ".gitignore").read_text().splitlines()


class Topology:
    """The services of compose.yaml as processes of this machine, with the environment it gives."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self.home, self.stack = home, stack
        self.ports = {name: _free_port() for name in ("database", "server")}
        self.secrets = {"POSTGRES_PASSWORD": "fromafile", "PREFECT_AUTH": "me:secret"}

    def environment(self, name: str, number: int = 0) -> dict[str, str]:
        """Of a service, with the names of other services brought to this machine."""
        given = {
            key: self._here(ASKED.sub(lambda found: self.secrets[found[1]], value))
            for key, value in SERVICES[name]["environment"].items()
        }
        inherited = {key: value for key, value in os.environ.items() if "PREFECT" not in key}
        home = {
            "PREFECT_HOME": str(self.home / f"{name}-{number}"),
            "PYTHONPATH": f"{SLOWLY}:{ROOT}",
        }
        off = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
        port = {"PREFECT_WORKER_WEBSERVER_PORT": str(_free_port())}
        return {**inherited, **home, **off, **port, **given}

    def begin(self, name: str, number: int = 0) -> subprocess.Popen[bytes]:
        """Begin a service by its own command."""
        service, port = SERVICES[name], str(self.ports.get(name))
        words = [*service["entrypoint"], *service["command"]]
        words = [{"0.0.0.0": "127.0.0.1", "4200": port}.get(word, word) for word in words]
        command = [sys.executable, "-m", *words]
        return self._process(f"{name}-{number}", command, self.environment(name, number))

    def said(self, process: str) -> str:
        return (self.home / f"{process}.log").read_text()

    def begin_database(self) -> None:
        """Debian's PostgreSQL in a folder of its own; it refuses to run as root."""
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
        """Ask the database, as soon as it answers."""
        login = {"PGPASSWORD": self.secrets["POSTGRES_PASSWORD"]}
        where = ["-h", "127.0.0.1", "-p", str(self.ports["database"]), "-U", "prefect"]
        command = ["psql", *where, "-d", database, "-At", "-c", query]

        def ask() -> str | None:
            done = subprocess.run(
                command, env={**os.environ, **login}, capture_output=True, text=True
            )
            return done.stdout.strip() or done.stderr * (not done.returncode) or None

        return _within(60, ask)

    def healthy(self, url: str) -> bool:
        with suppress(URLError, OSError):
            return bool(urlopen(url, timeout=5).status == 200)
        return False

    def prefect(self, code: str) -> str:
        """Run Python as a client of the server."""
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=self.environment("worker", 99), cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _here(self, value: str) -> str:
        for name, inside in (("database", 5432), ("server", 4200)):
            value = value.replace(f"{name}:{inside}", f"127.0.0.1:{self.ports[name]}")
        return value

    def _process(
        self, name: str, command: list[str], environment: dict[str, str], cwd: Path = ROOT
    ) -> subprocess.Popen[bytes]:
        said = self.stack.enter_context((self.home / f"{name}.log").open("ab"))
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=said, stderr=said)
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
made = one_round.to_deployment(
    "twister", work_pool_name="twister", entrypoint_type=EntrypointType.MODULE_PATH,
    job_variables={{"working_dir": {root!r}}},
)
made.apply()
for run in ("one", "two"):
    both = {{"plan": {plan!r}, "run": {runs!r} + "/" + run}}
    print(run_deployment("round/twister", parameters=both, timeout=0).id)
"""


@pytest.mark.prefect
@pytest.mark.timeout(900)
def test_two_workers_finish_two_rounds_with_postgresql_behind_the_server(
    topology: Topology, tmp_path: Path
) -> None:
    pytest.importorskip("asyncpg")
    plan = toy.build(tmp_path)
    topology.begin_database()
    topology.begin("server")
    api = topology.environment("worker")["PREFECT_API_URL"]
    _within(180, lambda: topology.healthy(f"{api}/health"))
    with pytest.raises(URLError, match="401"):
        urlopen(f"{api}/admin/version", timeout=10)
    runs = [tmp_path / "one", tmp_path / "two"]
    for run in runs:
        run.with_suffix(".hold").touch()
    topology.prefect(REGISTER.format(root=str(ROOT), plan=str(plan), runs=str(tmp_path)))
    for number in range(2):
        topology.begin("worker", number)
    # Each of them takes one round at a time, so both rounds are under way only if both work.
    _within(400, lambda: all(run.with_suffix(".pid").exists() for run in runs))
    for run in runs:
        run.with_suffix(".hold").unlink()
    ended = "select count(*) from flow_run where state_type = 'COMPLETED'"
    _within(400, lambda: topology.sql(ended) == "2")
    for run in runs:
        assert [each.accepted for each in summarize(run).rounds] == [True]
    assert all("submitting flow run" in topology.said(f"worker-{each}") for each in range(2))
    # A stage is a task; the server takes them down when it has the time.
    _within(60, lambda: int(topology.sql("select count(*) from task_run")) >= 2 * 16)


@contextmanager
def _open_folder() -> Iterator[Path]:
    """A short folder that another user may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="twister-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _within(seconds: float, ask: Callable[[], T | None]) -> T:
    """The answer, asked again as long as there is none."""
    end = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < end, "no answer in time"
        time.sleep(0.5)
    return answer
