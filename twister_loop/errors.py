"""Errors that this library raises on purpose; each message says what, where, and what to do.

>>> from twister_loop import load
>>> try:
...     load("missing.yaml")
... except ConfigError as error:
...     print(error)
missing.yaml: cannot read plan: there is no such file
"""

# Names alone: whoever raises them inside of the package imports them from `core`.
from .core.errors import (
    AudioError,
    AwaitingApproval,
    BusyError,
    ConfigError,
    EditedError,
    EngineError,
    LeakError,
    ManifestError,
    NothingNew,
    SpaceError,
    StaleError,
    TwisterError,
)

__all__ = [
    "AudioError",
    "AwaitingApproval",
    "BusyError",
    "ConfigError",
    "EditedError",
    "EngineError",
    "LeakError",
    "ManifestError",
    "NothingNew",
    "SpaceError",
    "StaleError",
    "TwisterError",
]
