"""Watch on pool folders: new audio files become one event on the Prefect server.

The list of announced files is kept in memory for an hour. After that, and after a restart, all
files are announced again, because an event can get lost. A repeated event costs one comparison:
`retrain` compares audio with what earlier rounds listed, by content.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from prefect.events import emit_event

from ..core.errors import ConfigError
from ..data.corpora.audiofolder import AudioFolder
from .notifications import run_key

# Folders are listed rather than watched by inotify, which reports nothing on network shares.
POLL_INTERVAL = 5.0
"""Seconds between two listings of the folders."""
REPEAT_AFTER = 3600.0
"""Seconds after which all files are announced again."""

log = logging.getLogger("twister_loop")


@dataclass
class Watcher:
    """Watch on the pool folders of one experiment."""

    plan: str
    run: str
    folders: list[str]
    settled: float
    """Seconds that a file must be unchanged; a younger file may still be being written."""
    announced: set[tuple[str, int, int]] = field(default_factory=set)
    """Path, size in bytes and modification time in ns of every announced file."""
    announced_since: float = field(default_factory=time.monotonic)
    last_error: str = ""

    def poll(self) -> int:
        """Emit one event if there are new files, and return their number."""
        if time.monotonic() - self.announced_since > REPEAT_AFTER:
            self.announced, self.announced_since = set(), time.monotonic()
        present = set()
        for folder in self.folders:
            try:
                for path in AudioFolder(Path(folder), settled=self.settled).files():
                    try:
                        stat = path.stat()
                    except FileNotFoundError:  # moved or deleted since it was listed
                        continue
                    present.add((str(path), stat.st_size, stat.st_mtime_ns))
            except (ConfigError, OSError) as error:
                # A network share that is away usually comes back: warn once, and go on polling.
                if str(error) != self.last_error:
                    log.warning("%s", error)
                self.last_error = str(error)
                return 0
        new = present - self.announced
        self.announced = present
        if new:
            emit_event(
                "twister.audio.arrived",
                resource={"prefect.resource.id": f"twister.run.{run_key(Path(self.run))}"},
                payload={"plan": self.plan, "run": self.run, "files": len(new)},
            )
            log.info("%d new files in %s", len(new), ", ".join(self.folders))
        return len(new)


def watch(plan: str, run: str, folders: list[str], settled: float) -> int:
    """Poll the folders until interrupted."""
    watcher = Watcher(plan, run, folders, settled)
    while True:
        watcher.poll()
        time.sleep(POLL_INTERVAL)
