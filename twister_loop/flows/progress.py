"""Progress of a long stage, as a Prefect artifact beside its task."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path
from typing import Any

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from ..core.artifacts import find_run_root
from ..reporting.current_stage import find_current_stage

log = logging.getLogger("twister_loop")

UPDATE_INTERVAL = 15.0
"""Seconds between two updates; a stage that is done before the first has no artifact."""


@contextmanager
def progress_artifact(out: Path) -> Iterator[None]:
    """Update a progress artifact from the files of the stage that writes to `out`."""
    done = threading.Event()
    # A new thread starts with an empty context, in which Prefect could not tell which task run
    # the artifact belongs to.
    updater = threading.Thread(target=copy_context().run, args=(_update, out, done), daemon=True)
    updater.start()
    try:
        yield
    finally:
        done.set()
        updater.join()


def _update(out: Path, done: threading.Event) -> None:
    artifact: Any = None  # typed as UUID or coroutine; a coroutine only inside an event loop
    try:
        while not done.wait(UPDATE_INTERVAL):
            stage = find_current_stage(find_run_root(out))
            if stage is None or not stage.total:
                continue
            percent = min(100.0, 100 * stage.done / stage.total)
            if artifact is None:
                description = f"{out.parent.name}/{out.name}, of {stage.total} {stage.unit}"
                artifact = create_progress_artifact(percent, description=description)
            else:
                update_progress_artifact(artifact, percent)
        if artifact is not None:
            update_progress_artifact(artifact, 100.0)
    except Exception as error:
        # Broad on purpose: a display that fails must not end the stage that it displays.
        log.warning("%s: cannot update the progress artifact (%s)", out, error)
