"""Prefect's command line, with its garbage collected beside its event loop.

On SQLite a collection may free the cursor of a connection that is waiting for the write lock, and
then waits with it: up to a minute. On the event loop that is a deadlock, for whoever holds the
lock can only give it back there. The server freezes, and then says `database is locked`. A thread
of its own may wait as long as it likes. (Seen with Prefect 3.8.8, aiosqlite, Python 3.11.)
"""

from __future__ import annotations

import gc
import runpy
import threading
import time

YOUNG, ALL = 1.0, 60.0
"""Seconds between two collections of what is young, and of everything."""


def _collect() -> None:
    whole = time.monotonic()
    while True:
        time.sleep(YOUNG)
        if time.monotonic() - whole < ALL:
            gc.collect(1)
        else:
            gc.collect()
            whole = time.monotonic()


if __name__ == "__main__":
    gc.disable()
    threading.Thread(target=_collect, name="garbage", daemon=True).start()
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)
