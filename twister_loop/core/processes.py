"""Child processes that do not outlive their parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path

PR_SET_PDEATHSIG = 1
"""Constant of Linux, see prctl(2)."""


def die_with_parent() -> None:
    """Have the kernel end this process (SIGTERM) when its parent ends, even by `kill -9`.

    Call it in the child itself, or pass it as `preexec_fn`. The parent counts as ended when the
    thread that forked ends. It works on Linux only; elsewhere nothing happens.
    """
    if sys.platform == "linux":
        # Python has no function for it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def exit_when_stdin_closes() -> None:
    """Kill this process group once its standard input is closed at the other end.

    A parent that keeps the pipe open so guards its children, also on systems without prctl: the
    pipe closes however the parent ends.
    """

    def wait() -> None:
        # Not sys.stdin.read: the interpreter cannot exit while a thread holds its buffer.
        os.read(sys.stdin.fileno(), 1)
        # The group, because engines start processes of their own.
        os.killpg(0, signal.SIGKILL)

    # A daemon thread does not keep the process alive when its work is done.
    threading.Thread(target=wait, daemon=True).start()


def child_environment() -> dict[str, str]:
    """Return the environment for a child interpreter that imports from where this one does.

    `python -m` and `python -c` put the working directory first on the module path, so a package
    `twister_loop` that a user keeps there would be imported instead of this one.
    PYTHONSAFEPATH turns that off for the child and for every interpreter that it starts.
    """
    paths = [folder or str(Path.cwd()) for folder in sys.path]  # "" means the working directory
    return {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(paths)}
