"""Stage outputs in folders: written atomically, cached by content, and safe to interrupt.

Every artifact is a folder. A stage works under a hidden name and renames it when it is finished, so
a visible folder is complete. Its `made.json` records its provenance: the inputs (the stage and its
version, the options that change results, the digests of the files that were read) and the digests
of the output. The next stage hashes that file, which makes a chain like git's. If the inputs are
the same, a stage reads its artifact back; if they are others, it refuses to run and leaves the
artifact as it is.
"""

from __future__ import annotations

import ctypes
import gc
import inspect
import json
import logging
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, Protocol, Self, TypeVar, cast, get_type_hints

from . import schema
from .content_check import PROVENANCE as PROVENANCE
from .content_check import PRUNED as PRUNED
from .content_check import REDACTED as REDACTED
from .content_check import SPEED as SPEED
from .content_check import TIMING as TIMING
from .content_check import check_unchanged, digest_files, read_record, remember_as_written
from .differences import describe_code_change
from .differences import find_differences as find_differences
from .digests import digest_path
from .errors import ConfigError, EditedError, StaleError
from .scratch import (
    copy_folder,
    delete_hidden,
    discard,
    full_disk_as_space_error,
    is_hidden,
    scratch_folder,
)

log = logging.getLogger(__name__)

MIN_SECONDS_TO_FREE_MEMORY = 5.0
"""Seconds. Memory is freed only after stages that took longer than this: a shorter one held no
model, and a garbage collection takes a while itself."""
EXECUTION_ARGUMENTS = frozenset({"out", "cluster"})
"""Arguments of a stage that say where it runs and where it writes, and do not change results."""
RUN_MARKER = "run.json"
"""Name of the file that marks the root of a run. Paths below it are stored relative, so that a
run can be moved."""
NOT_IN_CACHE_KEY: Mapping[str, Any] = {"in_cache_key": False}
"""Metadata of a dataclass field that does not change results, for fields without a default."""


class Artifact(Protocol):
    """Output of a stage, stored in a folder."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the artifact back from its folder."""


P = ParamSpec("P")
A = TypeVar("A", bound=Artifact)
T = TypeVar("T")


def stage(version: int) -> Callable[[Callable[P, A]], Callable[P, A]]:
    """Turn a function with an argument `out` into a stage that is cached and can be interrupted.

    The stage returns the artifact in `out`. It runs the function only if that folder does not
    exist, and goes on with unfinished work if that was begun from the same inputs.

    Args:
        version: part of the cache key; raise it when the same input would give another output
            than before.

    Raises:
        StaleError: `out` exists and was made from other inputs.
        SpaceError: the disk is full.
    """

    def decorate(function: Callable[P, A]) -> Callable[P, A]:
        # The return annotation names the class that loads a cached result.
        artifact_class = cast(type[A], get_type_hints(function)["return"])
        signature = inspect.signature(function)

        def cache_key_inputs(*args: Any, **kwargs: Any) -> dict[str, Any]:
            # By the names of the parameters, so that calls by position and by keyword are the same.
            # Partial, because `out` is not given when a cached result is looked for.
            arguments = signature.bind_partial(*args, **kwargs).arguments
            keys = {
                name: cache_key(argument, stage_name=function.__name__)
                for name, argument in arguments.items()
                if name not in EXECUTION_ARGUMENTS
            }
            return {"stage": function.__name__, "version": version, "from": keys}

        @wraps(function)
        def run_or_load(*args: P.args, **kwargs: P.kwargs) -> A:
            inputs = cache_key_inputs(*args, **kwargs)
            out = cast(Path, kwargs["out"])
            if not out.exists():
                kwargs["out"] = scratch = scratch_folder(out)
                started = time.monotonic()
                with full_disk_as_space_error(out):
                    # A kill may have left half a copy of an earlier result, see `reuse_result`.
                    discard(copy_folder(out), first=PROVENANCE)
                    _prepare_scratch(scratch, inputs)
                    function(*args, **kwargs)
                    seconds = time.monotonic() - started
                    content = _record_provenance(scratch, inputs, seconds)
                # The rename comes last and is atomic: a killed stage leaves only hidden folders.
                scratch.rename(out)
                remember_as_written(out, content)
                if seconds > MIN_SECONDS_TO_FREE_MEMORY:
                    _free_memory()
                log.info("%s/%s: finished in %.1f s", out.parent.name, out.name, seconds)
            elif changes := _describe_changes(read_record(out), inputs):
                raise StaleError(
                    f"{out} was made from other inputs: {'; '.join(changes)}. "
                    "Undo these changes, or start a new run in another folder"
                )
            else:
                check_unchanged(out)
            return artifact_class.load(out)

        run_or_load.cache_key_inputs = cache_key_inputs  # type: ignore[attr-defined]
        return run_or_load

    return decorate


def not_in_cache_key(default: T, /) -> T:
    """Return a dataclass field for an option that does not change results, such as a batch size."""
    return field(default=default, metadata=NOT_IN_CACHE_KEY)


def used_by(stage_name: str, default: T, /) -> T:
    """Return a dataclass field for an option that only one stage reads, such as a learning rate."""
    return field(default=default, metadata={"used_by": stage_name})


def cache_key(argument: object, stage_name: str | None = None) -> Any:
    """Return JSON data that changes if the argument, or a file it refers to, changes.

    Args:
        argument: any argument of a stage: an artifact, a part, options, a path, plain data.
        stage_name: the stage whose key it is; options that only other stages read (`used_by`)
            are left out. None includes all options that change results.

    >>> cache_key({"batch": 8, "rates": (0.1, 0.2)})
    {'batch': 8, 'rates': [0.1, 0.2]}
    """
    # By content and not by name: data may be moved, and replaced under the same name.
    if isinstance(argument, Path):
        return digest_path(argument)
    folder = getattr(argument, "folder", None) or getattr(argument, "location", None)
    # The record is small and contains the digests of all files, so that no audio is read again.
    # A manifest that no stage wrote, such as one of a corpus, has no record and is hashed itself.
    for file_name in (PROVENANCE, "manifest.jsonl"):
        if isinstance(folder, Path) and (folder / file_name).is_file():
            if file_name == PROVENANCE:
                check_unchanged(folder)
            return digest_path(folder / file_name)
    if is_dataclass(argument) and not isinstance(argument, type):
        options = {
            option.name: cache_key(getattr(argument, option.name), stage_name)
            for option in fields(argument)
            if _is_in_cache_key(option.metadata, stage_name)
        }
        # An option may only name its weights; what the name stands for can change, too.
        if points_to := getattr(argument, "points_to", None):
            options["points_to"] = cache_key(points_to(), stage_name)
        # The code of a part from outside has no version of this package that tells it.
        if (own_code := getattr(argument, "own_code", None)) and (origin := own_code()):
            options["own_code"] = dict(origin)
        return {"use": getattr(argument, "name", type(argument).__name__), **options}
    if isinstance(argument, Mapping):
        return {str(name): cache_key(member, stage_name) for name, member in argument.items()}
    if isinstance(argument, list | tuple):
        return [cache_key(member, stage_name) for member in argument]
    return argument


def _is_in_cache_key(metadata: Mapping[str, Any], stage_name: str | None) -> bool:
    is_read = stage_name is None or metadata.get("used_by", stage_name) == stage_name
    return is_read and bool(metadata.get("in_cache_key", True))


def reuse_result(
    stage_function: Callable[..., Artifact],
    out: Path,
    candidates: Iterable[Path],
    /,
    *args: Any,
    **kwargs: Any,
) -> None:
    """Copy an earlier result to `out` if the same stage made it from the same inputs elsewhere.

    Nothing is copied if `out` exists already.

    Args:
        stage_function: a function decorated by `stage`.
        out: the folder that the stage would write.
        candidates: files, any one per folder, that lie in the folders to look at.
        args: positional arguments of the stage.
        kwargs: keyword arguments of the stage; `out` and `cluster` may be among them.
    """
    if out.exists():
        return
    inputs = stage_function.cache_key_inputs(*args, **kwargs)  # type: ignore[attr-defined]
    for folder in sorted(file.parent for file in candidates):
        # A pruned result lacks its weights or audio; a hidden folder is unfinished or being copied.
        is_whole = not (folder / PRUNED).exists() and not is_hidden(folder, find_run_root(folder))
        if is_whole and _was_made_from(folder, inputs):
            try:
                check_unchanged(folder)
            except EditedError as edited:
                log.warning("%s; it is not reused", edited)
                continue
            copy = copy_folder(out)
            discard(copy, first=PROVENANCE)
            with full_disk_as_space_error(out):
                # Copied and not linked: either run may be deleted or moved without the other.
                shutil.copytree(folder, copy)
                # The seconds were spent elsewhere; a sum must not count them twice.
                write_json({"seconds": 0.0}, copy / TIMING)
            # Unfinished work of the stage itself; once `out` exists nobody would remove it.
            discard(scratch_folder(out), first=PROVENANCE)
            copy.rename(out)
            return


def find_run_root(folder: Path) -> Path:
    """Return the folder of the run that contains a folder, or the folder itself outside a run."""
    absolute = folder.absolute()
    parents = (absolute, *absolute.parents)
    return next((parent for parent in parents if (parent / RUN_MARKER).is_file()), absolute)


def read_json(path: Path) -> Any:
    """Read a JSON file of a run or of a model.

    Raises:
        ConfigError: The file does not hold JSON, as if it was edited or cut off.
    """
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as cause:  # the latter: brackets nested thousands deep
        raise ConfigError(
            f"{path}: not JSON ({cause}); restore the file (of a round in progress its folder can "
            "be deleted instead, and is made again)"
        ) from cause


def write_json(content: Any, path: Path) -> None:
    """Write a small JSON file atomically: readers see the old file or the new one."""
    scratch = path.with_name(f".{path.name}")  # a rename is atomic only within a file system
    scratch.unlink(missing_ok=True)  # in somebody else's run it may be a link to anywhere
    text = json.dumps(content, indent=2, ensure_ascii=False)
    scratch.write_text(f"{text}\n", "utf-8", "backslashreplace")  # of names that are not UTF-8
    scratch.replace(path)


class JsonRecord:
    """Base of small dataclasses that are stored in a JSON file named after the class.

    The name of the file is the name of the class in snake case: `MixtureContents` is stored in
    `mixture_contents.json`.
    """

    def save(self, folder: Path) -> Self:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(schema.to_json_data(self), self._path(folder))
        return self

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read the record of a folder.

        Raises:
            ConfigError: The file is missing, or does not hold such a record, as if it was edited or
                cut off.
        """
        path = cls._path(Path(folder))
        try:
            return schema.parse_json(cls, path.read_bytes())
        except (OSError, ValueError) as cause:
            raise ConfigError(
                f"{path}: cannot be read ({cause}); restore the file (of a round in progress its "
                "folder can be deleted instead, and is made again)"
            ) from cause

    @classmethod
    def _path(cls, folder: Path) -> Path:
        snake_case = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        return folder / f"{snake_case}.json"


def _prepare_scratch(scratch: Path, inputs: Mapping[str, Any]) -> None:
    """Keep unfinished work that was begun from the same inputs; otherwise start with nothing."""
    if not _was_made_from(scratch, inputs):
        discard(scratch, first=PROVENANCE)
    scratch.mkdir(parents=True, exist_ok=True)
    # Written before the work begins, so that the next call can tell whether it may resume.
    write_json(inputs, scratch / PROVENANCE)


def _was_made_from(folder: Path, inputs: Mapping[str, Any]) -> bool:
    """Return True if the record of a folder can be read, and names the same inputs."""
    try:
        record = read_json(folder / PROVENANCE)
    except (OSError, ConfigError):
        return False
    return isinstance(record, dict) and not _describe_changes(record, inputs)


def _record_provenance(scratch: Path, inputs: Mapping[str, Any], seconds: float) -> dict[str, str]:
    """Store inputs and digests of the output in one file, and the seconds in another.

    Time is kept apart because it differs between runs whose results are the same.

    Returns:
        The digests of all files by name.
    """
    delete_hidden(scratch)
    content = digest_files(scratch)
    write_json({**inputs, "content": content}, scratch / PROVENANCE)
    write_json({"seconds": round(seconds, 1)}, scratch / TIMING)
    return content


def _free_memory() -> None:
    """Return the memory of an engine's models to the operating system."""
    gc.collect()
    # glibc keeps freed memory in an arena for every thread. Other systems have no malloc_trim.
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def _describe_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the differences between the inputs of two artifacts, as `place: before -> after`."""
    return [
        describe_code_change(place, old, new) or f"{place}: {old!r} -> {new!r}"
        for place, old, new in find_differences(before, after)
    ]
