"""How far a long stage is, as an artifact that Prefect shows with its task."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path
from typing import Any

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from ..core.artifacts import run_root_of
from ..reporting.current_stage import find_current_stage

log = logging.getLogger("twister_loop")

EVERY = 15.0
"""Seconds between two looks; a stage that is done before the first has no artifact."""


@contextmanager
def shown(out: Path) -> Iterator[None]:
    """Look at the stage's own folder from time to time while it works, and tell how far it is."""
    done = threading.Event()
    watch = threading.Thread(target=copy_context().run, args=(_watch, out, done), daemon=True)
    watch.start()
    try:
        yield
    finally:
        done.set()
        watch.join()


def _watch(out: Path, done: threading.Event) -> None:
    """A look that fails is a line in the log: it never ends a stage."""
    artifact: Any = None  # Prefect's types allow for a coroutine, which only an event loop gets
    try:
        while not done.wait(EVERY):
            now = find_current_stage(run_root_of(out))
            if now is None or not now.total:
                continue
            percent = min(100.0, 100 * now.done / now.total)
            if artifact is None:
                said = f"{out.parent.name}/{out.name}, of {now.total} {now.unit}"
                artifact = create_progress_artifact(percent, description=said)
            else:
                update_progress_artifact(artifact, percent)
        if artifact is not None:
            update_progress_artifact(artifact, 100.0)
    except Exception as trouble:
        log.warning("%s: its progress could not be shown (%s)", out, trouble)
