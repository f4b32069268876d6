"""Entry point of the flows: `python -P -m twister_loop.flows NAME ARGUMENTS`.

NAME is a flow (`refine`, `round`, `retrain`, `evaluate`), or `up`, `deploy`, `watch` or
`close-approval`. ARGUMENTS is a JSON object with its keyword arguments. If Prefect has no
`PREFECT_API_URL`, flows run against a temporary server that ends with this process.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
from typing import Any

from ..core.errors import ConfigError, TwisterError

exit_messages: list[str] = []

SERVICES = {"watch", "deploy", "close-approval"}
"""Names that need a server which is running already."""

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
    # Prefect's own temporary server has no password.
    os.environ["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] = "false"
    import httpx

    from .password import use_stored_password

    try:
        use_stored_password()
        return _dispatch(name, parameters)
    except httpx.HTTPError as error:
        exit_messages.append(_describe(error))
        return 1
    except TwisterError as error:
        exit_messages.append(str(error))
        return error.exit_code


def _dispatch(name: str, parameters: dict[str, Any]) -> int:
    # Imports stand in the branches: Prefect reads its settings when it is imported, and a watch
    # should not wait for the engines.
    if name == "up":
        from .up import up

        return up(**parameters)
    if name in SERVICES and not _api_url():
        raise ConfigError("PREFECT_API_URL is not set: export PREFECT_API_URL=http://HOST:4200/api")
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


def _api_url() -> str | None:
    # A profile of Prefect may name the server, too.
    from prefect.settings import get_current_settings

    return get_current_settings().api.url


def _run_flow(name: str, parameters: dict[str, Any]) -> int:
    # Exit by SystemExit instead of by the signal, so that exit handlers stop the temporary server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    from .server import start_temporary_server

    # Started before the other imports, which take as long as the server needs to start.
    wait_for_server = None if _api_url() else start_temporary_server()
    from .evaluate import evaluate
    from .refine import one_round, refine, retrain

    flows: dict[str, Any] = {flow.name: flow for flow in (refine, one_round, retrain, evaluate)}
    if wait_for_server:
        wait_for_server()
    state = flows[name](**parameters, return_state=True)
    outcome = state.result(raise_on_failure=False)
    if isinstance(outcome, Exception) and hasattr(outcome, "exit_code"):
        exit_messages.append(str(outcome))
        return int(outcome.exit_code)
    return 0 if state.is_completed() else 1


def _describe(error: Exception) -> str:
    if getattr(getattr(error, "response", None), "status_code", None) == 401:
        return (
            "the Prefect server wants its password: export PREFECT_API_AUTH_STRING, as "
            "`twister up` prints it"
        )
    return (
        f"cannot reach the Prefect server ({error}). Finished stages are on disk; run the same "
        "command again to resume"
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
