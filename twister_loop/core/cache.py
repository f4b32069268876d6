"""The user's cache folder, where downloads are kept between runs: the only door to platformdirs."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """Return the folder for downloads, which may not exist yet.

    The environment variable `TWISTER_CACHE` names it; without that it is the user's cache folder
    on this system: on Linux `$XDG_CACHE_HOME/twister_loop`, else `~/.cache/twister_loop`.
    """
    if chosen := os.environ.get("TWISTER_CACHE"):
        return Path(chosen).expanduser()
    # Without an author, which would be one more level of folders on Windows.
    return platformdirs.user_cache_path("twister_loop", appauthor=False)
