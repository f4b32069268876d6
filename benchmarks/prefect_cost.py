"""Time that Prefect adds to a round, measured on the toy round, which itself takes under 1 s.

PYTHONPATH=. python benchmarks/prefect_cost.py [ROUNDS]
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests import world
from tests.operating import ROOT, Up

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3


def write(name: str, seconds: list[float]) -> None:
    """Print the median of some times, and all of them."""
    times = ", ".join(f"{time_:.1f}" for time_ in seconds)
    sys.stdout.write(f"{name:48} {median(seconds):6.1f} s   ({times})\n")


def measure_round(*arguments: str | Path, environment: dict[str, str]) -> float:
    """Run `twister round` in a process; return the seconds that it took."""
    began = time.monotonic()
    command = [sys.executable, "-m", "twister_loop.cli.main", "round", *map(str, arguments)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    return time.monotonic() - began


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has taken so far."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[11:13]
    return (int(user) + int(system)) / 100


def database_bytes(folder: Path) -> int:
    """Return the bytes of the server's database that are in use."""
    [file] = (folder / "prefect").glob("*.db")
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
        size, pages, free = (
            database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_size", "page_count", "freelist_count")
        )
    return int(size * (pages - free))


def wait_until_idle(server: int) -> None:
    """Wait until the server has processed all events: it then does little in five seconds."""
    before = processor_seconds(server)
    while time.sleep(5) or processor_seconds(server) - before > 0.5:
        before = processor_seconds(server)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        plan = world.build(home)
        # The toy sets are too small for a significant gain, and a refused round ends early.
        plan.write_text(plan.read_text().replace("significant", "sane_output"))
        began = time.monotonic()
        up = Up(home)
        write("twister up, from nothing", [time.monotonic() - began])
        without_server = up.environment
        with_server = without_server | {"PREFECT_API_URL": up.api}
        server = up.child("server start")
        plain = [
            measure_round(plan, home / f"a{n}", "--no-prefect", environment=without_server)
            for n in range(ROUNDS)
        ]
        write("a round, --no-prefect", plain)
        wait_until_idle(server)
        bytes_before, seconds_before = database_bytes(home), processor_seconds(server)
        as_flow = [
            measure_round(plan, home / f"b{n}", environment=with_server) for n in range(ROUNDS)
        ]
        wait_until_idle(server)
        write("a round as a flow, server running", as_flow)
        sys.stdout.write(
            f"{'  of the server: processor, database':48} "
            f"{(processor_seconds(server) - seconds_before) / ROUNDS:6.1f} s   "
            f"{(database_bytes(home) - bytes_before) / ROUNDS / 1e3:.0f} kB a round\n"
        )
        as_deployment = []
        for number in range(ROUNDS):
            began = time.monotonic()
            ended = up.ended(up.start("round", plan=plan, run=home / f"c{number}"))
            assert ended[0] == "Completed", ended
            as_deployment.append(time.monotonic() - began)
        write("a round as a deployment, from start to end", as_deployment)
        wait_until_idle(server)
        seconds_before, began = processor_seconds(server), time.monotonic()
        time.sleep(60)
        idle = (processor_seconds(server) - seconds_before) / (time.monotonic() - began)
        sys.stdout.write(f"{'an idle server':48} {100 * idle:6.1f} % of a core\n")
        up.stop()


if __name__ == "__main__":
    main()
