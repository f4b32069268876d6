"""Where downloads are kept between runs: one folder per user, moved by `TWISTER_CACHE`."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$TWISTER_CACHE`, else `$XDG_CACHE_HOME/twister_loop`, else `~/.cache/twister_loop`."""
    if own := os.environ.get("TWISTER_CACHE"):
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared).expanduser() if shared else Path.home() / ".cache") / "twister_loop"
