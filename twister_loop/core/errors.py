"""Exceptions of this library, one tree; each message says what, where, and what to do.

* TwisterError
  - ConfigError       the plan names something that does not exist or cannot work
  - ManifestError     a line of a manifest is invalid
  - AudioError        a file is not readable as speech
  - EngineError       an ASR or TTS engine failed; the cause is chained
  - LeakError         held-out speech was found among the training data
  - StaleError        a folder was made from other inputs than it would be made from now
    - EditedError     a file of a run is not what its stage wrote
  - SpaceError        the disk is, or would be, full
  - BusyError         another process is working on the same run
  - NothingNew        a round would repeat one that was refused
  - AwaitingApproval  an accepted candidate awaits approval by a person
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar


class TwisterError(Exception):
    """Base of everything that this library raises on purpose."""

    exit_code: ClassVar[int] = 2
    """Exit status of a command: 2 if the user can fix the cause, 1 if it is a fault of this
    library or of an engine, 0 if nothing is wrong."""


class ConfigError(TwisterError):
    """Invalid plan: it names something that does not exist or cannot work."""


class ManifestError(TwisterError):
    """Invalid line of a manifest; the message begins with `path:line`."""


class AudioError(TwisterError):
    """Audio that cannot be read as speech."""


class EngineError(TwisterError):
    """Failure of an engine; the original exception is chained as the cause."""

    exit_code = 1


class LeakError(TwisterError):
    """Held-out speech among the training data."""


class StaleError(TwisterError):
    """Folder that was made from other inputs than it would be made from now."""


class EditedError(StaleError):
    """File of a run that was edited, damaged or deleted since a stage wrote it."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path


class SpaceError(TwisterError):
    """Disk that is full, or would be before the round ends."""


class BusyError(TwisterError):
    """Run that another process is working on."""


class NothingNew(TwisterError):  # noqa: N818  (not an error: there is nothing to do)
    """Round whose pool, plan and voices are those of the last one, which was refused."""

    exit_code = 0


class AwaitingApproval(TwisterError):  # noqa: N818  (not an error either)
    """Candidate that the gates accepted and that a person has not approved yet."""

    exit_code = 0


def describe_fault(error: BaseException) -> str:
    """Return an unexpected exception in one line: its class, its message, and where it was raised.

    >>> try:
    ...     raise AssertionError
    ... except AssertionError as error:
    ...     describe_fault(error).startswith("AssertionError in ")
    True
    """
    message = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{f': {message}' if message else ''}{place}"


def describe_os_error(error: OSError) -> str:
    """Return a failure of the operating system in one sentence: the file, the reason, the remedy.

    >>> describe_os_error(PermissionError(13, "Permission denied", "runs/mine/lock"))
    'runs/mine/lock: permission denied; let this user write there, or copy it to another place'
    """
    place = f"{error.filename}: " if error.filename else ""
    # Some errors of Python's own library carry no number and no text of the system.
    reason = (error.strerror or str(error) or type(error).__name__).lower()
    remedies = {
        errno.ENOSPC: "make room and run the same command again, finished stages are kept",
        errno.EDQUOT: "make room and run the same command again, finished stages are kept",
        errno.EROFS: "let this user write there, or copy it to another place",
        errno.EACCES: "let this user write there, or copy it to another place",
        errno.EPERM: "let this user write there, or copy it to another place",
        errno.ENOENT: "restore it if it was deleted or moved by hand",
    }
    remedy = remedies.get(error.errno or 0, "")
    return f"{place}{reason}{f'; {remedy}' if remedy else ''}"


@contextmanager
def explain_faults(what: str) -> Iterator[None]:
    """Raise TwisterError, one sentence, for any other error: also one of a bug of this library.

    Args:
        what: begins the sentence, and says what failed and where.
    """
    try:
        yield
    except TwisterError:
        raise
    except Exception as error:
        raise TwisterError(
            f"{what} ({describe_fault(error)}); if its files were not edited or damaged, please "
            "report this"
        ) from error
