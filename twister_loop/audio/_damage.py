"""Warnings of damaged files, each once in a process however often the file is read."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path

log = logging.getLogger(__name__)


@lru_cache(maxsize=10_000)
def warn_of_damage(path: Path, damage: str) -> None:
    """Log what is wrong with a file of which the rest is read."""
    log.warning("%s: %s; what is there is read", path, damage)
