"""A lock keeps other processes out and ends with the process that holds it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from twister_loop.core.locks import exclusive_lock
from twister_loop.errors import BusyError

HOLD = """
import sys, time
from pathlib import Path
from twister_loop.core.locks import exclusive_lock
with exclusive_lock(Path(sys.argv[1]), wait=False):
    print("locked", flush=True)
    time.sleep(600)
"""


def test_a_second_holder_is_refused_until_the_first_releases(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    with (
        exclusive_lock(path, wait=False),
        pytest.raises(BusyError, match="another process is working in this folder"),
        exclusive_lock(path, wait=False),
    ):
        pass
    with exclusive_lock(path, wait=False):
        assert path.exists()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout and holder.stdout.readline() == "locked\n"
    with pytest.raises(BusyError), exclusive_lock(path, wait=False):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with exclusive_lock(path, wait=True):
        pass
