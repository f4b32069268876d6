"""One round of an experiment at a time, on all machines that share a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prefect import get_client
from prefect.concurrency.sync import concurrency
from prefect.runtime import deployment

from .. import BusyError
from .notifications import key_of

PATIENCE = 3.0
"""Seconds to wait for the slot: who comes second goes home."""
LEASE = 60.0
"""Seconds that a slot stays taken after its holder died."""


@contextmanager
def alone(run: Path) -> Iterator[None]:
    """Hold the experiment's slot on the server. Raises BusyError while another run holds it.

    The lock in the run folder says the same on disk and dies with its holder; this one also holds
    between machines whose shared folder has no locks. Only a run of a deployment asks for it: a
    command may run against an ephemeral server, which forgets who held what.
    """
    if not deployment.id:
        yield
        return
    name = f"twister-{key_of(run)}"
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(name, 1)
    slot = concurrency(
        name,
        timeout_seconds=PATIENCE,
        lease_duration=LEASE,
        raise_on_lease_renewal_failure=False,  # a round outlives a server that is away
    )
    try:
        slot.__enter__()
    except TimeoutError as cause:
        raise BusyError(
            f"{run}: another flow run is at work on this run. If that died, its slot is free "
            f"within {LEASE:.0f} s"
        ) from cause
    try:
        yield
    finally:
        with suppress(Exception):  # the server may be away, and the lease ends by itself
            slot.__exit__(None, None, None)
