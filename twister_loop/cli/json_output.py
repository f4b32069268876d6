"""JSON on standard output for programs: one document, and nothing else (`--json`)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from typing import Any, TextIO

from ..core import schema

_document_stream: ContextVar[TextIO | None] = ContextVar("document_stream", default=None)


@contextmanager
def only_json_on_stdout() -> Iterator[None]:
    """Send everything that is printed to standard error, except for what `print_json` writes."""
    # Not only our own lines: engines print too, and one of their lines would spoil the document.
    token = _document_stream.set(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _document_stream.reset(token)


def print_json(record: Any) -> None:
    """Print a record, or a dictionary of records, as one JSON document."""
    stream = _document_stream.get() or sys.stdout
    # Not escaped to ASCII: names of sets and speakers may be in any script.
    stream.write(f"{json.dumps(schema.to_json_data(record), indent=2, ensure_ascii=False)}\n")
    # Whoever reads may wait for it while this process still writes a page.
    stream.flush()


def print_error_as_json(kind: str, message: str, exit_code: int) -> None:
    """Print an error as every command with `--json` does, in the place of its document."""
    print_json({"error": {"kind": kind, "message": message, "exit_code": exit_code}})


def stdout_of_children() -> int | None:
    """Return what the output of a child process goes to: standard error while stdout is for JSON.

    Returns:
        A file descriptor, or None to inherit that of this process.
    """
    return None if _document_stream.get() is None else 2
