"""Paths of files as text, also of files whose names are not UTF-8, which JSON cannot hold."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes

URI_SCHEME = "file:"
"""First part of a path that is written as a URI, because its name is not UTF-8: JSON cannot hold
its bytes, and `file:///caf%E9.wav` can."""


def write_path(path: Path) -> str:
    """Return a path as text; as a URI if its name is not UTF-8.

    >>> write_path(Path("/data/a.wav")), write_path(Path("/caf" + chr(0xDCE9) + ".wav"))
    ('/data/a.wav', 'file:///caf%E9.wav')
    """
    # Rare, so the path of most files stays one that people can read and paste.
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return path.absolute().as_uri()
    return str(path)


def read_path(path: Path) -> Path:
    """Return the path that `write_path` wrote; a file URI is decoded.

    >>> read_path(Path("file:/data/caf%C3%A9.wav")).name
    'café.wav'
    """
    if not path.parts or path.parts[0] != URI_SCHEME:
        return path
    # `Path` has joined the slashes at the beginning of the URI to one.
    return Path(os.fsdecode(unquote_to_bytes(str(path).removeprefix(URI_SCHEME))))
