"""Our exceptions, one tree; each says what, where, and what to do.

* TwisterError
  - ConfigError     the plan asks for something that does not exist or cannot be
  - ManifestError   a line of a manifest cannot be believed
  - AudioError      a file is not speech that can be read
  - EngineError     an ASR or TTS engine failed; the cause is chained
  - LeakError       held-out speech was found among what is trained on
  - StaleError      a folder was made from other things than it would be made from now
  - SpaceError      the disk is, or would be, full
  - BusyError       another process is at work on the same run
  - NothingNew      a round would repeat one that was refused
  - Waiting         an accepted candidate waits for a person's word
"""

from __future__ import annotations

from typing import ClassVar


class TwisterError(Exception):
    """Base of everything this library raises on purpose."""

    exit_code: ClassVar[int] = 2
    """What a command ends with: 2 where the user can mend it, 1 where we must."""


class ConfigError(TwisterError):
    """The plan asks for something that does not exist or cannot be."""


class ManifestError(TwisterError):
    """A line of a manifest cannot be believed; the message begins with `path:line`."""


class AudioError(TwisterError):
    """A file is not speech that can be read."""


class EngineError(TwisterError):
    """An engine failed; the original exception is chained as the cause."""

    exit_code = 1


class LeakError(TwisterError):
    """Held-out speech was found among what is trained on."""


class StaleError(TwisterError):
    """A folder was made from other things than it would be made from now."""


class SpaceError(TwisterError):
    """The disk is full, or would be before the round ends."""


class BusyError(TwisterError):
    """Another process is at work on the same run."""


class NothingNew(TwisterError):  # noqa: N818  (not an error, a reason to go home)
    """Pool, plan and voices are what they were when the last round was refused."""

    exit_code = 0


class Waiting(TwisterError):  # noqa: N818  (nor is this)
    """The last candidate was accepted by the gates and waits for approval."""

    exit_code = 0
