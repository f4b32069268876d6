"""The command `twister rollback`, which goes back to an older champion."""

from __future__ import annotations

import argparse
import sys

from ..core.terminal import printable
from ..pipeline.rollback import roll_back
from ..reporting import dashboard
from .json_output import print_json


def rollback(options: argparse.Namespace) -> int:
    """Go back to the champion of an older round, or to the untouched model (0).

    Nothing is deleted: later rounds stay and are marked, and the next round goes on from the
    candidate, the labels and the voices of that round. Who did it, when and why is recorded. The
    same inputs are not trained on again: add audio or texts, or change the plan.
    """
    record = roll_back(options.run, options.round, options.note, set_aside=options.set_aside)
    if options.json:
        print_json(record)
    else:
        sys.stdout.write(f"{printable(str(record))}\n")
    dashboard.try_to_write_page(options.run)
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command, without RUN."""
    parser.add_argument(
        "round",
        type=_parse_round,
        metavar="ROUND",
        help="number of an accepted round; 0 is the untouched model",
    )
    # Not required, unlike that of a refusal: going back is urgent when a champion fails in use.
    parser.add_argument("--note", default="", help="reason, stored with the decision")
    parser.add_argument(
        "--set-aside",
        action="store_true",
        help="first rename a round in progress to round-NN.aside-N",
    )


def _parse_round(text: str) -> int:
    # `int` alone would also take "-3", "1_000" and " 7 ".
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"expected the number of a round or 0, not {text!r}")
    return int(text)
