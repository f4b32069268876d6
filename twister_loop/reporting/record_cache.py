"""What was read from a run, so that it is read once: finished rounds and finished stages stay.

The folders remain the truth: what is kept here can be thrown away, and is made anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from ..core import schema
from ..core.artifacts import PROVENANCE, digest_path, read_json
from ..pipeline.run_folder import is_finished

T = TypeVar("T")

CACHE_FOLDER = ".summaries"
"""Folder of a run; a file for every finished round and kind of record."""


def cached_record(
    make: Callable[[Path], T], kind: type[T], name: str, shape: int | tuple[int, ...], at: Path
) -> T:
    """`make(round)`, kept by that name for a finished round; one in progress is read anew.

    Raise `shape` when the same round would give another record than before.
    """
    if not is_finished(at):
        return make(at)
    # Signatures are a chain, and what is decided after the verdict gets a folder of its own.
    stages = sorted(each.name for each in os.scandir(at) if each.is_dir())
    key = f"{shape} {digest_path(at / 'verdict' / PROVENANCE)} {' '.join(stages)}"
    found: T = _recalled(make, cast(Any, kind), name, key, at)
    return found


def memoize_on_folders(make: Callable[..., T], *folders: Path) -> T:
    """`make(*folders)`, asked once in a process for as long as the same stages lie in them."""
    found: T = _known(make, folders, tuple(map(_when_made, folders)))
    return found


@lru_cache(maxsize=512)
def _recalled(make: Callable[[Path], Any], kind: type[Any], name: str, key: str, at: Path) -> Any:
    note = at.parent / CACHE_FOLDER / f"{at.name}-{name}.json"
    with suppress(OSError, ValueError, KeyError):
        kept = read_json(note)
        if kept["key"] == key:
            return schema.parse_data(kind, kept["record"])
    record = make(at)
    with suppress(OSError):  # a run that can only be read
        note.parent.mkdir(exist_ok=True)
        scratch = note.with_name(f".{note.name}.{os.getpid()}")  # a page and a server may meet
        kept = {"key": key, "record": schema.to_json_data(record)}
        scratch.write_text(json.dumps(kept, ensure_ascii=False, separators=(",", ":")), "utf-8")
        scratch.replace(note)
    return record


@lru_cache(maxsize=64)
def _known(make: Callable[..., Any], folders: tuple[Path, ...], made: tuple[int, ...]) -> Any:
    return make(*folders)


def _when_made(folder: Path) -> int:
    """Nanoseconds; 0 as long as it is not there."""
    note = folder / PROVENANCE
    return note.stat().st_mtime_ns if note.is_file() else 0
