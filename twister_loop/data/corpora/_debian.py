"""Debian packages that hold recordings, downloaded and unpacked without root."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

log = logging.getLogger(__name__)


class FetchError(Exception):
    """One source failed; another may work."""


def download_and_unpack(
    packages: Sequence[str], scratch: Path, description: str
) -> tuple[Path, str]:
    """Download packages with `apt-get download` and unpack them with `dpkg -x`.

    Args:
        packages: Names of the packages.
        scratch: Existing folder to work in.
        description: Size and licence, for the log.

    Returns:
        The folder that holds what the packages would install under `/`, and the names of the
        packages with their versions.

    Raises:
        FetchError: A tool is missing, or the mirror cannot be reached or lacks a package.
    """
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise FetchError(f"{tool} is not installed")
    log.info("downloading %s with apt-get (%s)", " ".join(packages), description)
    # apt writes its lists and its cache where only root may; with folders of our own any user can
    # download, and the system's lists stay as they are.
    private = [
        option
        for key, folder in (("Dir::State::Lists", "lists"), ("Dir::Cache", "cache"))
        for option in ("-o", f"{key}={make_folder(scratch / folder / 'partial').parent}")
    ]
    try:
        _run(["apt-get", *private, "update"], scratch)
        _run(["apt-get", *private, "download", *packages], scratch)
    except FetchError as failure:
        log.info("apt-get failed with private package lists (%s); trying the system's", failure)
        _run(["apt-get", "download", *packages], scratch)
    debs = sorted(scratch.glob("*.deb"))
    root = make_folder(scratch / "root")
    for deb in debs:
        _run(["dpkg", "-x", str(deb), str(root)], scratch)
    return root, ", ".join(deb.stem for deb in debs)


def make_folder(folder: Path) -> Path:
    """Create the folder if it does not exist, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _run(command: Sequence[str], folder: Path) -> None:
    """Run a tool quietly. Raises FetchError with the last line that it wrote to stderr."""
    try:
        subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},  # messages in English, whatever the locale
            check=True,
            stdin=subprocess.DEVNULL,  # no tool may wait for an answer
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError) as cause:
        lines = str(getattr(cause, "stderr", "") or cause).strip().splitlines()
        raise FetchError(f"{command[0]}: {lines[-1]}") from cause
