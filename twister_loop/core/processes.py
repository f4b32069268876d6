"""Processes that do not outlive the one that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

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
