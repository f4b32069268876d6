"""A folder of new audio becomes one event: files that have settled, told once.

What it has told lives in memory only, and for an hour. Then, and after a restart, everything is
told again, since an event may get lost; it costs one look, for whether audio is new is decided by
its content against the ledger.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from prefect.events import emit_event

from ..core.errors import ConfigError
from ..data.corpora.audiofolder import AudioFolder
from .notifications import key_of

EVERY = 5.0
"""Seconds between two looks."""
FORGET = 3600.0
"""Seconds after which all is told again."""

log = logging.getLogger("twister_loop")


@dataclass
class Watcher:
    """Looks at the pool folders of one experiment."""

    plan: str
    run: str
    folders: list[str]
    settled: float
    told: set[tuple[str, int, int]] = field(default_factory=set)
    since: float = field(default_factory=time.monotonic)
    trouble: str = ""

    def look(self) -> int:
        """Tell the server if there are files that it was not told of; give how many."""
        if time.monotonic() - self.since > FORGET:
            self.told, self.since = set(), time.monotonic()
        there = set()
        for folder in self.folders:
            try:
                for path in AudioFolder(Path(folder), settled=self.settled).files():
                    stat = path.stat()
                    there.add((str(path), stat.st_size, stat.st_mtime_ns))
            except (ConfigError, OSError) as trouble:  # a share that is away comes back
                if str(trouble) != self.trouble:
                    log.warning("%s", trouble)
                self.trouble = str(trouble)
                return 0
        new = there - self.told
        self.told = there
        if new:
            emit_event(
                "twister.audio.arrived",
                resource={"prefect.resource.id": f"twister.run.{key_of(Path(self.run))}"},
                payload={"plan": self.plan, "run": self.run, "files": len(new)},
            )
            log.info("%d files have come into %s", len(new), ", ".join(self.folders))
        return len(new)


def watch(plan: str, run: str, folders: list[str], settled: float) -> int:
    """Look at the folders until interrupted."""
    watcher = Watcher(plan, run, folders, settled)
    while True:
        watcher.look()
        time.sleep(EVERY)
