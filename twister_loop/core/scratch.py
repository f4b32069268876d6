"""Hidden folders and files: what is being written, and what a kill leaves of it."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import SpaceError

COPY_SUFFIX = "~"
"""Ends the hidden name under which an earlier result is copied, as `.untouched~`."""


def scratch_folder(out: Path) -> Path:
    """Return the folder in which a stage works until its output is complete."""
    # A name that begins with a dot is not a round or an artifact to any reader.
    return out.with_name(f".{out.name}")


def copy_folder(out: Path) -> Path:
    """Return the folder in which an earlier result is copied until the copy is complete.

    It is not the scratch folder of a stage: half a copy has a record of its inputs and would be
    taken for work to resume. No stage has a `~` in its name, see `plan_reader.SAFE_NAME`.
    """
    return out.with_name(f".{out.name}{COPY_SUFFIX}")


def discard(folder: Path, *, first: str) -> None:
    """Delete a hidden folder, which need not exist.

    Args:
        folder: The folder.
        first: Name of the file by which unfinished work is resumed. It is deleted before the
            rest, so that what a kill leaves of the folder is never resumed.
    """
    (folder / first).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)


def delete_hidden(folder: Path) -> None:
    """Delete what a kill left of files that were being written: it is no result of a stage."""
    for path in list(folder.rglob(".*")):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            # The folder that it lay in may be gone by now.
            path.unlink(missing_ok=True)


def is_hidden(path: Path, root: Path) -> bool:
    """Return True if a part of the path below `root` begins with a dot: it is not finished.

    >>> is_hidden(Path("run/round-01/.pool/made.json"), Path("run"))
    True
    """
    # Below the root only: a run may lie in a hidden folder, such as one in ~/.cache.
    relative = path.absolute().relative_to(root.absolute())
    return any(part.startswith(".") for part in relative.parts)


@contextmanager
def full_disk_as_space_error(out: Path) -> Iterator[None]:
    """Raise SpaceError, with the remedy, instead of an OSError that means a full disk."""
    try:
        yield
    except OSError as error:
        # A quota that is used up is a full disk to its user.
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise SpaceError(
            f"{out}: the disk is full; make room and run the same command again, "
            "finished stages are kept"
        ) from error
