"""What Prefect itself costs a round: the toy round, whose own work takes a fraction of a second.

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


def say(what: str, seconds: list[float]) -> None:
    each = ", ".join(f"{one:.1f}" for one in seconds)
    sys.stdout.write(f"{what:48} {median(seconds):6.1f} s   ({each})\n")


def timed(*command: str | Path, environment: dict[str, str]) -> float:
    began = time.monotonic()
    whole = [sys.executable, "-m", "twister_loop.cli.main", "round", *map(str, command)]
    subprocess.run(whole, cwd=ROOT, env=environment, check=True, capture_output=True)
    return time.monotonic() - began


def processor(pid: int) -> float:
    """Seconds of processor time that a process has taken so far."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[11:13]
    return (int(user) + int(system)) / 100


def on_disk(home: Path) -> int:
    """Bytes of the database that are in use."""
    [file] = (home / "prefect").glob("*.db")
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
        size, pages, free = (
            database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_size", "page_count", "freelist_count")
        )
    return int(size * (pages - free))


def settled(server: int) -> None:
    """Wait until the server has digested what it was told: it does little in five seconds."""
    before = processor(server)
    while time.sleep(5) or processor(server) - before > 0.5:
        before = processor(server)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        plan = world.build(home)
        plan.write_text(plan.read_text().replace("significant", "sane_output"))
        began = time.monotonic()
        up = Up(home)
        say("twister up, from nothing", [time.monotonic() - began])
        alone = up.environment
        there = alone | {"PREFECT_API_URL": up.api}
        server = up.child("server start")
        plain = [timed(plan, home / f"a{n}", "--no-prefect", environment=alone)
                 for n in range(ROUNDS)]  # fmt: skip
        say("a round, --no-prefect", plain)
        settled(server)
        size, work = on_disk(home), processor(server)
        shown = [timed(plan, home / f"b{n}", environment=there) for n in range(ROUNDS)]
        settled(server)
        say("a round as a flow, server running", shown)
        sys.stdout.write(
            f"{'  of the server: processor, database':48} "
            f"{(processor(server) - work) / ROUNDS:6.1f} s   "
            f"{(on_disk(home) - size) / ROUNDS / 1e3:.0f} kB a round\n"
        )
        asked = []
        for number in range(ROUNDS):
            began = time.monotonic()
            done = up.ended(up.start("round", plan=plan, run=home / f"c{number}"))
            assert done[0] == "Completed", done
            asked.append(time.monotonic() - began)
        say("a round as a deployment, from asking to its end", asked)
        settled(server)
        work, began = processor(server), time.monotonic()
        time.sleep(60)
        idle = (processor(server) - work) / (time.monotonic() - began)
        sys.stdout.write(f"{'an idle server':48} {100 * idle:6.1f} % of a core\n")
        up.stop()


if __name__ == "__main__":
    main()
