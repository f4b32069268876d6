"""Time of a demo from the command to its last line, and the stages that take it.

python benchmarks/first_minutes.py FOLDER               (as `twister demo --quick FOLDER`)
python benchmarks/first_minutes.py FOLDER --full        (as `twister demo FOLDER`)

FOLDER is new. Recordings and weights are fetched before the time is taken, so that it is that of
warm caches. Processor time counts on a machine with other work, where seconds do not.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

from twister_loop.cli.demo import FULL_PLAN, QUICK_PLAN
from twister_loop.core.artifacts import PROVENANCE, TIMING, read_json
from twister_loop.pipeline.forecast import make_forecast
from twister_loop.pipeline.plan_reader import load
from twister_loop.reporting.summary import summarize


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    if options.folder.exists():
        sys.exit(f"{options.folder} exists; name a new folder")
    # Both in this process, so that imports are not warm in the one that is measured.
    plan = load(FULL_PLAN if options.full else QUICK_PLAN)
    make_forecast(plan)
    plan.asr.initial_checkpoint()
    command = [sys.executable, "-m", "twister_loop.cli.main", "demo", str(options.folder)]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([*command, *([] if options.full else ["--quick"])], check=True)
    seconds = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    write("the whole command", seconds)
    write("its processor time, user", after.ru_utime - before.ru_utime)
    write("its processor time, system", after.ru_stime - before.ru_stime)
    timings = [
        (read_json(path)["seconds"], read_json(path.with_name(PROVENANCE))["stage"], path.parent)
        for path in options.folder.glob("round-*/**/" + TIMING)
    ]
    for stage_seconds, stage, stage_folder in sorted(timings, reverse=True):
        write(f"  {stage_folder.relative_to(options.folder)} ({stage})", stage_seconds)
    write("all outside of stages", seconds - sum(stage_seconds for stage_seconds, *_ in timings))
    for round_ in summarize(options.folder).rounds:
        sys.stdout.write(f"round {round_.number}: {round_.verdict}\n")


def write(name: str, seconds: float) -> None:
    sys.stdout.write(f"{name:60} {seconds:7.1f} s\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
