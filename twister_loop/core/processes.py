"""Processes that do not outlive the one that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path

PR_SET_PDEATHSIG = 1
"""See prctl(2)."""


def die_with_parent() -> None:
    """Have this process end (SIGTERM) when its parent does, even if that was killed with -9.

    Call it in the process itself or as the `preexec_fn` of one to come; the parent counts as
    dead when the thread that forked ends. Only Linux knows this; elsewhere nothing happens.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def end_with_guard() -> None:
    """Have this process, and all that it began, end when nobody holds its standard input open."""

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)  # its buffer must not be held by a thread at the end
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def child_environment() -> dict[str, str]:
    """Return the environment for a child interpreter that imports from where this one does.

    `python -m` and `python -c` put the working directory first on the module path, so a package
    `twister_loop` that a user keeps there would be imported instead of this one.
    PYTHONSAFEPATH turns that off for the child and for every interpreter that it starts.
    """
    paths = [entry or str(Path.cwd()) for entry in sys.path]  # "" means the working directory
    return {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(paths)}
