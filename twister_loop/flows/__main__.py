"""`python -P -m twister_loop.flows NAME ARGUMENTS`: one flow, or `up`, `deploy`, `watch`.

ARGUMENTS is a JSON object. If `PREFECT_API_URL` names no server, a temporary one is started.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
from typing import Any

last_words: list[str] = []

SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "twister_loop",
    # Leases in memory die with the server, and with them the round that holds one.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
        "prefect.server.concurrency.lease_storage.filesystem"
    ),
    # A first start makes the database, which takes more than the usual 20 s on a busy machine.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_WORKER_QUERY_SECONDS": "5",
}


@atexit.register  # before Prefect registers, so that it speaks after the server has stopped
def _speak() -> None:
    sys.stderr.write("".join(f"twister: {words}\n" for words in last_words))


def main(name: str, arguments: str = "{}") -> int:
    given = json.loads(arguments)
    for key, value in SETTINGS.items():
        os.environ.setdefault(key, value)
    if name == "up":
        os.environ["PREFECT_API_URL"] = given["url"]
        if auth := os.environ.get("PREFECT_SERVER_API_AUTH_STRING"):
            os.environ.setdefault("PREFECT_API_AUTH_STRING", auth)
    if "PREFECT_API_URL" not in os.environ:
        os.environ.setdefault("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "true")
    from .. import TwisterError

    try:
        return _command(name, given)
    except TwisterError as trouble:
        last_words.append(str(trouble))
        return trouble.exit_code


def _command(name: str, given: dict[str, Any]) -> int:
    """Imports what is named and no more: Prefect reads its settings when it is imported."""
    if name == "up":
        from .up import up

        return up(**given)
    if name == "watch":
        from .watch import watch

        return watch(**given)
    if name == "deploy":
        from .deployments import register

        for each in register(**given, hook=os.environ.get("TWISTER_WEBHOOK", "")):
            sys.stdout.write(f"{each}\n")
        return 0
    if name == "settle":
        from pathlib import Path

        from .approval import settle

        settle(Path(given["run"]))
        return 0
    import httpx

    from .evaluate import evaluate
    from .refine import one_round, refine, retrain

    flow_by_name: dict[str, Any] = {
        each.name: each for each in (refine, one_round, retrain, evaluate)
    }
    flow = flow_by_name[name]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that an ephemeral server ends too
    try:
        state = flow(**given, return_state=True)
    except httpx.HTTPError as away:
        last_words.append(
            f"the Prefect server is away ({away}). What is finished is on disk; run the same again"
        )
        return 1
    trouble = state.result(raise_on_failure=False)
    if isinstance(trouble, Exception) and hasattr(trouble, "exit_code"):
        last_words.append(str(trouble))
        return int(trouble.exit_code)
    return 0 if state.is_completed() else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
