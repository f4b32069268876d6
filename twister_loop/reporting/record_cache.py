"""A cache for what was computed from a run: finished rounds and finished stages never change.

The run's folders remain the truth. The cache can be deleted at any time and is then rebuilt.
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
from ..core.artifacts import PROVENANCE, read_json
from ..core.digests import digest_path
from ..core.errors import ConfigError
from ..core.forgotten import RECORD
from ..pipeline.rollbacks import ROLLBACKS
from ..pipeline.run_folder import is_finished
from ..pipeline.stage_table import VERDICT

T = TypeVar("T")

CACHE_FOLDER = ".summaries"
"""Folder inside a run; it holds one JSON file for each finished round and kind of record."""


def cached_record(
    compute: Callable[[Path], T],
    kind: type[T],
    name: str,
    schema_version: int | tuple[int, ...],
    round_folder: Path,
) -> T:
    """Return `compute(round_folder)`, from the cache if the round is finished.

    A round in progress is always computed.

    Args:
        compute: Reads the record from the folders of a round.
        kind: Type of the record, to parse the cached JSON.
        name: Part of the name of the cached file, e.g. `summary`.
        schema_version: Raise it whenever the same round would give a different record.
        round_folder: Folder of the round.
    """
    if not is_finished(round_folder):
        return compute(round_folder)
    # The digest of the verdict covers all stages before it, because each stage's provenance
    # contains the digests of its inputs. Stages that run after the verdict (an approval, say) are
    # not covered, but each of them adds a folder. Speech that is removed on request changes what
    # the stages made, and adds to the record of removals.
    folders = sorted(
        path.name
        for path in os.scandir(round_folder)
        if path.is_dir() and not path.name.startswith(".")
    )
    digest = digest_path(VERDICT.path(round_folder) / PROVENANCE)
    # So does a rollback change what a round is: its candidate may no longer be the champion.
    records = (round_folder.parent / name for name in (RECORD, ROLLBACKS))
    changes = " ".join(digest_path(path) if path.is_file() else "-" for path in records)
    key = f"{schema_version} {digest} {changes} {' '.join(folders)}"
    # lru_cache erases the type variable, so mypy needs the annotation and the cast.
    record: T = _read_or_compute(compute, cast(Any, kind), name, key, round_folder)
    return record


def memoize_on_folders(compute: Callable[..., T], *folders: Path) -> T:
    """Return `compute(*folders)`, computed once per process until a stage in a folder changes."""
    # The times are part of the key: a stage that is made again is computed again.
    record: T = _memoized(compute, folders, tuple(map(_finished_at, folders)))
    return record


def clear_memory() -> None:
    """Forget everything that this process has in memory; the files on disk stay."""
    _memoized.cache_clear()
    _read_or_compute.cache_clear()


# 512 records are the summary, details, and two page records of 128 rounds.
@lru_cache(maxsize=512)
def _read_or_compute(
    compute: Callable[[Path], Any], kind: type[Any], name: str, key: str, round_folder: Path
) -> Any:
    path = round_folder.parent / CACHE_FOLDER / f"{round_folder.name}-{name}.json"
    # A damaged or outdated file is no error: it is computed again and overwritten.
    with suppress(OSError, ValueError, KeyError, TypeError, ConfigError):
        cached = read_json(path)
        if cached["key"] == key:
            return schema.parse_data(kind, cached["record"])
    record = compute(round_folder)
    with suppress(OSError):  # the run may be on a read-only file system
        path.parent.mkdir(exist_ok=True)
        # The process that writes the page and a dashboard server may write the same file at the
        # same time, hence the process id and the atomic rename.
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        cached = {"key": key, "record": schema.to_json_data(record)}
        scratch.write_text(json.dumps(cached, ensure_ascii=False, separators=(",", ":")), "utf-8")
        scratch.replace(path)
    return record


# A round in progress needs about six; older rounds come from the cache on disk.
@lru_cache(maxsize=64)
def _memoized(
    compute: Callable[..., Any], folders: tuple[Path, ...], finished_at: tuple[int, ...]
) -> Any:
    return compute(*folders)


def _finished_at(folder: Path) -> int:
    """Return when a stage was finished, in nanoseconds since 1970; 0 if it is not finished."""
    provenance = folder / PROVENANCE
    return provenance.stat().st_mtime_ns if provenance.is_file() else 0
