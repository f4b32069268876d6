"""`python -m flows refine|round PLAN RUN [CHANGES]`: a flow, once, on the server at hand.

Where no server is named by `PREFECT_API_URL`, an ephemeral one is started.
"""

from __future__ import annotations

import atexit
import json
import os
import sys

last_words: list[str] = []


@atexit.register  # before Prefect registers, so that it speaks after the server has stopped
def _speak() -> None:
    sys.stderr.write("".join(f"twister: {words}\n" for words in last_words))


os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "twister_loop")
if "PREFECT_API_URL" not in os.environ:
    os.environ.setdefault("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "true")

from flows.refine import one_round, refine  # noqa: E402  (Prefect reads its settings at import)
from twister_loop import TwisterError  # noqa: E402


def main(name: str, plan: str, run: str, changes: str = "{}") -> int:
    flow = {"refine": refine, "round": one_round}[name]
    state = flow(plan, run, json.loads(changes), return_state=True)
    trouble = state.result(raise_on_failure=False)
    if isinstance(trouble, TwisterError):
        last_words.append(str(trouble))
        return trouble.exit_code
    return 0 if state.is_completed() else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
