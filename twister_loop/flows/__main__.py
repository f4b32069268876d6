"""Entry point of the flows: `python -P -m twister_loop.flows NAME ARGUMENTS`.

NAME is a flow (`refine`, `round`, `retrain`, `evaluate`), or `up`, `deploy`, `watch` or
`close-approval`. ARGUMENTS is a JSON object with its keyword arguments. If `PREFECT_API_URL` is
not set, flows run against a temporary server that ends with this process.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
from typing import Any

exit_messages: list[str] = []

SETTINGS = {
    "DO_NOT_TRACK": "1",
    # Server, worker and flow runs are started with `python -m`, which would import a package
    # `twister_loop` or a module `prefect.py` of the working directory instead of the real ones.
    "PYTHONSAFEPATH": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "twister_loop",
    # Leases in memory are lost with the server, and Prefect then cancels the round that holds one.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
        "prefect.server.concurrency.lease_storage.filesystem"
    ),
    # The first start creates the database, which takes longer than the default 20 s on a busy
    # machine.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_WORKER_QUERY_SECONDS": "5",
}


# Registered before Prefect is imported: exit handlers run last in, first out, so these lines
# appear below the server's own messages, where the user looks.
@atexit.register
def _print_exit_messages() -> None:
    sys.stderr.write("".join(f"twister: {message}\n" for message in exit_messages))


def main(name: str, arguments: str = "{}") -> int:
    """Configure Prefect, run one flow or service, and return the exit code."""
    parameters = json.loads(arguments)
    for variable, default in SETTINGS.items():
        os.environ.setdefault(variable, default)
    if name == "up":
        os.environ["PREFECT_API_URL"] = parameters["url"]
        if auth := os.environ.get("PREFECT_SERVER_API_AUTH_STRING"):
            os.environ.setdefault("PREFECT_API_AUTH_STRING", auth)
    if "PREFECT_API_URL" not in os.environ:
        os.environ.setdefault("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "true")
    from .. import TwisterError

    try:
        return _dispatch(name, parameters)
    except TwisterError as error:
        exit_messages.append(str(error))
        return error.exit_code


def _dispatch(name: str, parameters: dict[str, Any]) -> int:
    # Imports stand in the branches: Prefect reads its settings when it is imported, and a watch
    # should not wait for the engines.
    if name == "up":
        from .up import up

        return up(**parameters)
    if name == "watch":
        from .watch import watch

        return watch(**parameters)
    if name == "deploy":
        from .deployments import register

        webhook = os.environ.get("TWISTER_WEBHOOK", "")
        for deployment_name in register(**parameters, webhook=webhook):
            sys.stdout.write(f"registered {deployment_name}\n")
        return 0
    if name == "close-approval":
        from pathlib import Path

        from .approval import close_approval

        close_approval(Path(parameters["run"]))
        return 0
    return _run_flow(name, parameters)


def _run_flow(name: str, parameters: dict[str, Any]) -> int:
    import httpx

    from .evaluate import evaluate
    from .refine import one_round, refine, retrain

    flows: dict[str, Any] = {flow.name: flow for flow in (refine, one_round, retrain, evaluate)}
    # Exit by SystemExit instead of by the signal, so that exit handlers stop the temporary server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        state = flows[name](**parameters, return_state=True)
    except httpx.HTTPError as error:
        exit_messages.append(
            f"cannot reach the Prefect server ({error}). Finished stages are on disk; run the "
            "same command again to resume"
        )
        return 1
    outcome = state.result(raise_on_failure=False)
    if isinstance(outcome, Exception) and hasattr(outcome, "exit_code"):
        exit_messages.append(str(outcome))
        return int(outcome.exit_code)
    return 0 if state.is_completed() else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
