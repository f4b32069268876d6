"""Types of command-line arguments, and arguments that commands have in common."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..pipeline.plan_reader import parse_value


def parse_change(text: str) -> tuple[str, Any]:
    """Return the key and the value of `--set KEY=VALUE`.

    >>> parse_change("rounds=3")
    ('rounds', 3)
    """
    key, equals, plan_value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, not {text!r}")
    return key, parse_value(plan_value)  # YAML, as in a plan: 3, [a, b], {human: 2}


def parse_path(text: str) -> Path:
    """Return a path that has a name: `.` and `..` become absolute, other paths stay as typed.

    >>> parse_path("runs/demo/").as_posix()
    'runs/demo'
    >>> parse_path(".") == Path.cwd().resolve()
    True
    """
    # An unset variable of a script, which would be taken for the working directory.
    if not text:
        raise argparse.ArgumentTypeError("expected a path, not an empty text")
    path = Path(text)
    # Notices name a run by its folder, and the folder of another run is named after it.
    if path.name not in {"", ".."}:
        return path
    try:
        return path.resolve()
    except OSError as cause:
        raise argparse.ArgumentTypeError(f"{text}: not found ({cause.strerror})") from cause


def parse_positive(text: str) -> int:
    """Return an integer of at least 1."""
    # `int` alone would also take "-3", "1_000" and " 7 ".
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"expected an integer of at least 1, not {text!r}")
    return int(text)


def parse_spec(text: str) -> dict[str, Any]:
    """Return the YAML spec of a part; a bare name is the spec without options.

    >>> parse_spec("conformer"), parse_spec("{use: conformer, epochs: 35}")
    ({'use': 'conformer'}, {'use': 'conformer', 'epochs': 35})
    """
    spec = parse_value(text)
    return spec if isinstance(spec, dict) else {"use": spec}


def add_server_arguments(parser: argparse.ArgumentParser, port: int) -> None:
    """Add the arguments of a command that serves pages.

    Args:
        parser: Parser of the command.
        port: Default port.
    """
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="bind address; anything but localhost requires a token (default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=int, default=port, help="port; 0 for any free port (default: %(default)s)"
    )
    # A command line can be read by every user of the machine (`ps`), a variable cannot.
    parser.add_argument(
        "--token", help="access token; prefer the TWISTER_DASHBOARD_TOKEN variable, which is hidden"
    )
