"""Time of a run outside of its models, and time to find that a finished run is finished.

python benchmarks/overhead.py PLAN RUN                  (as `twister run PLAN RUN`, and then again)

A stage that uses a model counts as model time as a whole, by the seconds in its `timing.json`.
Everything else is overhead: start, Prefect, listing and reading the corpora, filters, mixture,
packing, gates, page.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from twister_loop.core.artifacts import PROVENANCE, TIMING, read_json

MODEL_STAGES = {
    "align",
    "evaluate",
    "fine_tune",
    "synthesize",
    "train_voice",
    "transcribe",
    "try_decoders",
    "try_voice",
}
"""Stages that run a model, by the names of their functions."""


def main() -> None:
    plan, run = sys.argv[1:3]
    command = [sys.executable, "-m", "twister_loop.cli.main", "run", plan, run]
    total = measure(command)
    timings = [
        (read_json(path)["seconds"], read_json(path.with_name(PROVENANCE))["stage"], path.parent)
        for path in Path(run).glob("round-*/**/" + TIMING)
    ]
    for seconds, stage, folder in sorted(timings, reverse=True)[:12]:
        write(f"  {folder.relative_to(run)} ({stage})", seconds)
    model_seconds = sum(seconds for seconds, stage, _ in timings if stage in MODEL_STAGES)
    other_seconds = sum(seconds for seconds, stage, _ in timings if stage not in MODEL_STAGES)
    write("the whole command", total)
    write("stages with a model", model_seconds)
    write("other stages", other_seconds)
    write("overhead: all but stages with a model", total - model_seconds)
    sys.stdout.write(f"that is {(total - model_seconds) / total:.1%}\n")
    write("finished run, repeated", measure(command))
    write("finished run, repeated with --no-prefect", measure([*command, "--no-prefect"]))


def measure(command: list[str]) -> float:
    """Run a command; return the seconds that it took."""
    began = time.monotonic()
    subprocess.run(command, check=True)
    return time.monotonic() - began


def write(name: str, seconds: float) -> None:
    sys.stdout.write(f"{name:60} {seconds:7.1f} s\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
