"""Processes for tests that are killed or must begin anew, forked from one that has the imports."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

# Importing them takes seconds. The server imports them once, and computes nothing, so that a fork
# has no threads to miss. What is not installed is passed over.
CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["twister_loop.asr.whisper.training", "twister_loop.asr.whisper.transcription"]
)


@dataclass(frozen=True)
class Finished:
    """Process that has ended."""

    code: int
    """Exit code; negative for a signal."""
    output: str


def start(function: Callable[..., object], *arguments: Any) -> BaseProcess:
    """Call a function of a module in a new process, and return it at once."""
    process = CONTEXT.Process(target=function, args=arguments)
    process.start()
    return process


def run(log: Path, function: Callable[..., None], *arguments: Any) -> Finished:
    """Call a function of a module in a new process, wait, and return its code and what it wrote."""
    process = start(_call, log, function, arguments)
    process.join()
    return Finished(process.exitcode or 0, log.read_text(errors="replace"))


def kill_after_lines(process: BaseProcess, log: Path, lines: int) -> None:
    """Kill a process as soon as a log has this many lines; it must not have ended by itself."""
    while process.is_alive():
        if log.is_file() and log.read_bytes().count(b"\n") >= lines:
            process.kill()
        time.sleep(0.002)
    assert process.exitcode == -signal.SIGKILL, "it was done before it could be killed"


def _call(log: Path, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
    os.dup2(1, 2)
    try:
        function(*arguments)
    except Exception:
        traceback.print_exc()
        raise SystemExit(1) from None
    finally:
        sys.stdout.flush()
