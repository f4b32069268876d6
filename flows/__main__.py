"""`python -m flows refine|round PLAN RUN [CHANGES]`: a flow, once, on the server at hand.

Where no server is named by `PREFECT_API_URL`, an ephemeral one is started.
"""

from __future__ import annotations

import json
import logging
import os
import sys

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "twister_loop")
if "PREFECT_API_URL" not in os.environ:
    os.environ.setdefault("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "true")

from flows.refine import one_round, refine
from twister_loop.errors import TwisterError


def main(name: str, plan: str, run: str, changes: str = "{}") -> int:
    logging.getLogger("twister_loop").setLevel(logging.INFO)
    try:
        {"refine": refine, "round": one_round}[name](plan, run, json.loads(changes))
    except TwisterError as trouble:
        sys.stderr.write(f"twister: {trouble}\n")
        return trouble.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
