"""Options that all clusters share."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Annotated, ClassVar

from ....core.errors import ConfigError
from ....core.manifest import WINDOW
from ....core.ranges import Count, Range
from ....core.types import Seconds
from ..shards import Cluster

CONNECT_TIMEOUT: Seconds = 10.0
"""Time to wait for an address to answer; Dask and Ray themselves wait for many minutes."""


@dataclass(frozen=True)
class WorkerCluster(Cluster):
    """Cluster at an address, or started on this machine for as long as a stage takes."""

    start_command: ClassVar[str]
    """Command that starts such a cluster, for messages."""
    address: str | None = None
    """Address of a running cluster; null starts one on this machine while a stage runs."""
    count: Annotated[int, Range(1, 100000)] | None = None
    """Workers on this machine, if there is no address; null is one per core."""
    gpu: bool = False
    """Give every shard a GPU of its own."""
    # 4096 lines: long enough that loading a model is a small part, short enough to lose.
    shard: Count = 16 * WINDOW
    """Lines per shard, a multiple of 256. Every shard loads the model anew, so make it some minutes
    of work."""
    deadline: Annotated[Seconds, Range(above=0)] = 4 * 3600
    """Seconds after which a process that still works on its shard is killed."""

    def __post_init__(self) -> None:
        # Windows are written whole, so a shard that ended within one could not be joined.
        if self.shard % WINDOW:
            raise ValueError(f"shard: must be a multiple of {WINDOW}, not {self.shard}")

    def check(self) -> None:
        """Raise ConfigError if nothing answers at the address `[SCHEME://]HOST:PORT`."""
        host, _, port = (self.address or "").rpartition("://")[2].rpartition(":")
        # Addresses without a port, such as Ray's `auto`, are looked up by the library itself.
        if not port.isdigit():
            return
        try:
            socket.create_connection((host, int(port)), CONNECT_TIMEOUT).close()
        except OSError as cause:
            raise ConfigError(
                f"cluster: {self.name} does not answer at {self.address} ({cause.strerror}); "
                f"start it with `{self.start_command}`"
            ) from cause
