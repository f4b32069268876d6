"""What every cluster can be told."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from ....core.errors import ConfigError
from ....core.manifest import WINDOW
from ....core.types import Seconds
from ..shards import Cluster

CONNECT_TIMEOUT: Seconds = 10.0
"""With an address where nobody answers; the engines themselves wait for up to many minutes."""


@dataclass(frozen=True)
class WorkerCluster(Cluster):
    address: str | None = None
    """Where the cluster is met; null begins one on this machine, for as long as a stage takes."""
    count: int | None = None
    """Workers on this machine, where no address is given; null is one a core."""
    gpu: bool = False
    """Whether every shard has a GPU to itself."""
    shard: int = 16 * WINDOW
    """Lines that one process is given, a multiple of 256. It loads the model anew: make it some
    minutes of work."""
    deadline: Seconds = 4 * 3600
    """After which a process that still works on its shard is killed."""

    def __post_init__(self) -> None:
        if self.shard < WINDOW or self.shard % WINDOW:
            raise ValueError(f"shard: a multiple of {WINDOW}, not {self.shard}")
        if self.count is not None and self.count < 1:
            raise ValueError(f"count: 1 at least, not {self.count}")
        if self.deadline <= 0:
            raise ValueError(f"deadline: more than 0 s, not {self.deadline:g}")

    def _knock(self, begin: str) -> None:
        """Raises ConfigError where nobody answers at `[SCHEME://]HOST:PORT`."""
        host, _, port = (self.address or "").rpartition("://")[2].rpartition(":")
        if not port.isdigit():  # such as Ray's `auto`
            return
        try:
            socket.create_connection((host, int(port)), CONNECT_TIMEOUT).close()
        except OSError as cause:
            raise ConfigError(
                f"cluster: {self.name} does not answer at {self.address} ({cause}); "
                f"`{begin}` begins it"
            ) from cause
