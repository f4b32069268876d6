"""Prefect's command line, with two ways of its server on SQLite mended (seen with Prefect 3.8.8).

Garbage is collected beside the event loop. A collection may free the cursor of a connection that
is waiting for the write lock, and then waits with it: up to a minute. On the event loop that is a
deadlock, for whoever holds the lock can only give it back there. The server freezes, and then says
`database is locked`. A thread of its own may wait as long as it likes.

Transactions take the write lock when they begin, where SQLite waits for it. Prefect's begin with
reading, and SQLite does not let what has read wait for the lock: `database is locked`, at once. An
event is tried again four times within a tenth of a second and then dropped, and with it the
message that a round has crashed.
"""

from __future__ import annotations

import gc
import runpy
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

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


def _lock_first() -> None:
    begin = AioSqliteConfiguration.begin_transaction

    @asynccontextmanager
    async def begin_transaction(
        self: AioSqliteConfiguration, session: AsyncSession, with_for_update: bool = False
    ) -> AsyncGenerator[AsyncSessionTransaction, None]:
        async with begin(self, session, with_for_update=True) as transaction:
            yield transaction

    AioSqliteConfiguration.begin_transaction = begin_transaction  # type: ignore[method-assign]


if __name__ == "__main__":
    _lock_first()
    gc.disable()
    threading.Thread(target=_collect, name="garbage", daemon=True).start()
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)
