"""Runs a plan in this process, and kills the process (-9) at the Nth thing it writes.

`python -m tests.killing PLAN RUN N`, or `main` in a process of tests/processes.py. With a folder
only what is written below a folder of that name counts, so the kill falls into that stage.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twister_loop import load, refine
from twister_loop.audio import io as audio
from twister_loop.core import artifacts as artifact
from twister_loop.core import manifest, schema


def main(plan: Path, run: Path, fatal: int, folder: str = "") -> None:
    """Run a plan, and print how many things were written, unless the process is killed."""
    written = 0

    def count(path: Path) -> None:
        nonlocal written
        written += not folder or (f".{folder}" in path.parts and "inputs" not in path.parts)
        if written == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(write: Any, place: int) -> Any:
        def before(*args: Any) -> Any:
            count(Path(args[place]))
            return write(*args)

        return before

    appending = manifest.Manifest.open_for_append

    @contextmanager
    def counting(self: manifest.Manifest, mode: str = "w") -> Iterator[Any]:
        with appending(self, mode) as append:
            # One a written utterance.
            yield lambda lines: append((count(self.folder), each)[1] for each in lines)

    manifest.Manifest.open_for_append = counting  # type: ignore[method-assign]
    audio.write = counted(audio.write, 1)
    artifact.write_json = counted(artifact.write_json, 1)
    write_line = schema.to_json_line  # also one a line of a training log, which lies nowhere yet

    def training_line(each: Any, **otherwise: str) -> str:
        if type(each).__name__ == "LogLine":
            count(Path(".candidate"))
        return write_line(each, **otherwise)

    schema.to_json_line = training_line
    for _ in refine(load(plan), run):
        pass
    sys.stdout.write(f"{written}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
