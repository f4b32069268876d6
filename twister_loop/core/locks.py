"""Exclusive locks between processes, held through a file: the only door to filelock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from .errors import BusyError

WAIT_FOREVER, DO_NOT_WAIT = -1.0, 0.0
"""Timeouts in seconds, as filelock encodes them."""


@contextmanager
def exclusive_lock(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock file `path` while the `with` block runs.

    The operating system releases the lock when the process that holds it ends, even after
    `kill -9`. The file itself stays: to delete it could let two processes lock two files that
    have had the same name.

    Args:
        path: the lock file; it and its folder are created if they do not exist.
        wait: wait until the lock is free. Otherwise fail at once if another process holds it.

    Raises:
        BusyError: another process holds the lock, and `wait` is False.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not bound to a thread: a flow may enter and leave the block in different threads.
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=WAIT_FOREVER if wait else DO_NOT_WAIT)
    except Timeout as cause:
        raise BusyError(
            f"{path.parent}: another process is working in this folder and holds {path.name}; "
            "wait until it has finished, or end it"
        ) from cause
    try:
        yield
    finally:
        lock.release()
