"""What a run takes beside its models, and how fast a finished one is recognized.

python benchmarks/overhead.py PLAN RUN                  (as `twister run PLAN RUN`, and then again)

Stages with a model in them are taken whole, from the notes they leave; all else is overhead: the
start, Prefect, listing and reading the corpora, filters, mixture, packing, gates and the page.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from twister_loop.core.artifacts import PROVENANCE, TIMING, read_json

MODELS = {
    "evaluate",
    "label",
    "speak",
    "train",
    "train_voice",
    "try_labelers",
    "try_voice",
}
"""Stages that ask a model."""


def main() -> None:
    plan, run = sys.argv[1:3]
    command = [sys.executable, "-m", "twister_loop.cli.main", "run", plan, run]
    whole = timed(command)
    found = [
        (read_json(note)["seconds"], read_json(note.with_name(PROVENANCE))["stage"], note.parent)
        for note in Path(run).glob("round-*/**/" + TIMING)
    ]
    for seconds, stage, folder in sorted(found, reverse=True)[:12]:
        say(f"  {folder.relative_to(run)} ({stage})", seconds)
    models = sum(seconds for seconds, stage, _ in found if stage in MODELS)
    books = sum(seconds for seconds, stage, _ in found if stage not in MODELS)
    say("the whole command", whole)
    say("stages with a model", models)
    say("other stages", books)
    say("all that is no model", whole - models)
    sys.stdout.write(f"that is {(whole - models) / whole:.1%}\n")
    say("finished, recognized", timed(command))
    say("finished, recognized, --no-prefect", timed([*command, "--no-prefect"]))


def timed(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, check=True)
    return time.monotonic() - began


def say(what: str, seconds: float) -> None:
    sys.stdout.write(f"{what:60} {seconds:7.1f} s\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
