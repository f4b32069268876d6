"""Prefect's server with two faults on SQLite fixed (seen with 3.8.8), behind a request guard.

`--descriptor N` serves on a socket that the parent process has bound; any other arguments are
those of Prefect's command line, such as `server start`.

1. Garbage is collected in a thread beside the event loop. A collection may free the cursor of a
   connection that waits for the write lock, and then blocks with it for up to a minute. On the
   event loop that is a deadlock, because the holder of the lock releases it there: the server
   freezes and then logs `database is locked`. A thread may block without harm.
2. Transactions take the write lock when they begin, where SQLite waits for it. Prefect's begin
   by reading, and SQLite does not let a transaction that has read wait for the write lock: it
   fails at once with `database is locked`. Prefect retries an event four times within a tenth
   of a second and then drops it, and with it the notification that a round has crashed.
"""

from __future__ import annotations

import gc
import runpy
import socket
import sys
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.settings import get_current_settings
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

from .request_guard import RequestGuard

YOUNG_INTERVAL, FULL_INTERVAL = 1.0, 60.0
"""Seconds between two collections of the young generations, and of all of them."""


def _collect_garbage_forever() -> None:
    last_full = time.monotonic()
    while True:
        time.sleep(YOUNG_INTERVAL)
        if time.monotonic() - last_full < FULL_INTERVAL:
            gc.collect(1)
        else:
            gc.collect()
            last_full = time.monotonic()


def _begin_with_write_lock() -> None:
    begin = AioSqliteConfiguration.begin_transaction

    @asynccontextmanager
    async def begin_transaction(
        self: AioSqliteConfiguration, session: AsyncSession, with_for_update: bool = False
    ) -> AsyncGenerator[AsyncSessionTransaction, None]:
        # `with_for_update` makes Prefect send BEGIN IMMEDIATE.
        async with begin(self, session, with_for_update=True) as transaction:
            yield transaction

    AioSqliteConfiguration.begin_transaction = begin_transaction  # type: ignore[method-assign]


def _serve(descriptor: int) -> None:
    from prefect.server.api.server import create_app

    settings = get_current_settings().server
    app = RequestGuard(create_app(final=True), settings.api.cors_allowed_origins)
    # The options of `prefect server start`, whose command line cannot take over a socket.
    config = uvicorn.Config(
        app,
        timeout_keep_alive=settings.api.keepalive_timeout,
        ws_ping_interval=settings.api.websocket_ping_interval,
        ws_ping_timeout=settings.api.websocket_ping_timeout,
        log_level=settings.logging_level.lower(),
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


def _guard_command_line() -> None:
    run = uvicorn.run

    def run_guarded(app: Any, **options: Any) -> None:
        # With several workers the application is a name, which each of them imports by itself.
        if not isinstance(app, str):
            app = RequestGuard(app, get_current_settings().server.api.cors_allowed_origins)
        run(app, **options)

    uvicorn.run = run_guarded


if __name__ == "__main__":
    _begin_with_write_lock()
    gc.disable()
    threading.Thread(target=_collect_garbage_forever, name="garbage", daemon=True).start()
    if sys.argv[1:2] == ["--descriptor"]:
        _serve(int(sys.argv[2]))
    else:
        _guard_command_line()
        runpy.run_module("prefect", run_name="__main__", alter_sys=True)
