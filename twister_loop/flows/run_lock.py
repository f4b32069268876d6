"""Lock between machines: one round of an experiment at a time on one Prefect server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prefect import get_client
from prefect.concurrency.sync import concurrency
from prefect.runtime import deployment

from ..core.errors import BusyError
from .notifications import run_key

ACQUIRE_TIMEOUT = 3.0
"""Seconds to wait for the slot before the flow run ends as `Busy`."""
LEASE_DURATION = 60.0
"""Seconds until the slot of a process that was killed is free again."""


@contextmanager
def hold_run_slot(run: Path) -> Iterator[None]:
    """Hold the experiment's concurrency slot on the server.

    The lock in the run folder does the same on disk and ends with its process. The slot also
    works between machines whose shared folder has no file locks.

    Raises:
        BusyError: Another flow run holds the slot.
    """
    # Only flow runs of a deployment take the slot: a command may run against a temporary server,
    # which has no record of slots that were taken before it started.
    if not deployment.id:
        yield
        return
    name = f"twister-{run_key(run)}"
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(name, 1)
    slot = concurrency(
        name,
        timeout_seconds=ACQUIRE_TIMEOUT,
        lease_duration=LEASE_DURATION,
        raise_on_lease_renewal_failure=False,  # a round continues while the server is away
    )
    # Entered by hand: in a `with` statement a TimeoutError of the round itself would be reported
    # as a slot that is taken.
    try:
        slot.__enter__()
    except TimeoutError as cause:
        raise BusyError(
            f"{run}: another flow run is working on this run folder. If that one was killed, "
            f"its slot is free within {LEASE_DURATION:.0f} s"
        ) from cause
    try:
        yield
    finally:
        with suppress(Exception):  # the server may be away; the lease then expires by itself
            slot.__exit__(None, None, None)
