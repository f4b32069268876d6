"""How an artifact comes to be: whole, once, and signed.

Every artifact is a folder. A stage works under a hidden name and renames it when it is
finished, so a folder that can be seen is complete. Its `made.json` says what it was made
from (the stage and its version, the options that change results, the digests of what was
read) and what came out; the next stage signs that file, a chain like git's. Made from the
same things an artifact is read back; made from other things it is refused and not touched.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import hashlib
import inspect
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, fields, is_dataclass
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, Protocol, Self, TypeVar, cast, get_type_hints

from . import schema
from .errors import SpaceError, StaleError

log = logging.getLogger(__name__)

MADE = "made.json"
TIMING, SPEED = "timing.json", "speed.json"
"""How long it took, all of it and its parts: notes on how it went, not on what came out."""
MIN_SECONDS_TO_FREE_MEMORY = 5.0
"""Seconds; a stage that took less held no model, and looking for garbage takes a while itself."""
PRUNED = "thinned"
"""Marks what its weights or its audio were taken out of: a record of what was, of no more use."""
EXECUTION_ARGUMENTS = frozenset({"out", "cluster"})
"""Arguments of a stage that say where and by whom it is done, not what comes out."""
RUN_MARKER = "run.json"
"""Marks the root of a run; paths below it are kept relative, so a run can be moved."""


class Artifact(Protocol):
    """Something that lies in a folder."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read it back."""


P = ParamSpec("P")
A = TypeVar("A", bound=Artifact)
T = TypeVar("T")


def stage(version: int) -> Callable[[Callable[P, A]], Callable[P, A]]:
    """Turn `make(..., out=folder)` into a step that is done once and can be interrupted.

    Raise the version when the same input would give another output than before.
    """

    def decorate(make: Callable[P, A]) -> Callable[P, A]:
        kind = cast(type[A], get_type_hints(make)["return"])
        form = inspect.signature(make)

        def recipe_of(*args: Any, **kwargs: Any) -> dict[str, Any]:
            given = form.bind_partial(*args, **kwargs).arguments
            purpose = make.__name__
            signed = {
                n: cache_key(each, purpose)
                for n, each in given.items()
                if n not in EXECUTION_ARGUMENTS
            }
            return {"stage": make.__name__, "version": version, "from": signed}

        @wraps(make)
        def step(*args: P.args, **kwargs: P.kwargs) -> A:
            recipe = recipe_of(*args, **kwargs)
            out = cast(Path, kwargs["out"])
            if not out.exists():
                kwargs["out"] = scratch = out.with_name(f".{out.name}")
                began = time.monotonic()
                with _room_on_disk(out):
                    _begin(scratch, recipe)
                    make(*args, **kwargs)
                    _finish(scratch, recipe, seconds := time.monotonic() - began)
                scratch.rename(out)
                if seconds > MIN_SECONDS_TO_FREE_MEMORY:
                    _give_back_memory()
                log.info("%s/%s: made in %.1f s", out.parent.name, out.name, seconds)
            elif changed := _changes(read_json(out / MADE), recipe):
                raise StaleError(f"{out} was made from other things: {'; '.join(changed)}")
            return kind.load(out)

        step.recipe_of = recipe_of  # type: ignore[attr-defined]
        return step

    return decorate


def not_in_cache_key(default: T, /) -> T:
    """Give a part's option that does not change results, such as a batch size, its default."""
    return field(default=default, metadata={"signed": False})


def used_by(purpose: str, default: T, /) -> T:
    """Give a part's option that only one stage looks at, such as a learning rate, its default."""
    return field(default=default, metadata={"purpose": purpose})


def cache_key(value: object, purpose: str | None = None) -> Any:
    """Plain data that changes whenever the value, or what it points to, changes.

    `purpose` is the name of the stage that signs: options that only another one looks at are
    left out. Without it all count.
    """
    if isinstance(value, Path):
        return digest_of(value)
    folder = getattr(value, "folder", None) or getattr(value, "location", None)
    for note in (MADE, "manifest.jsonl"):  # a manifest that no stage made is its own note
        if isinstance(folder, Path) and (folder / note).is_file():
            return digest_of(folder / note)
    if is_dataclass(value) and not isinstance(value, type):
        signed = (each for each in fields(value) if _matters(each.metadata, purpose))
        options = {each.name: cache_key(getattr(value, each.name), purpose) for each in signed}
        if points_to := getattr(value, "points_to", None):  # by a name alone, such as weights
            options["points_to"] = cache_key(points_to(), purpose)
        return {"use": getattr(value, "name", type(value).__name__), **options}
    if isinstance(value, Mapping):
        return {str(key): cache_key(each, purpose) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [cache_key(each, purpose) for each in value]
    return value


def _matters(metadata: Mapping[str, Any], purpose: str | None) -> bool:
    ours = purpose is None or metadata.get("purpose", purpose) == purpose
    return ours and bool(metadata.get("signed", True))


def digest_of(path: Path) -> str:
    """The first 16 hexadecimal digits of a file's sha256, or of all files' in a folder."""
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file())
        known = [(each.relative_to(path).as_posix(), _of_file(each)) for each in files]
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _of_file(path: Path) -> str:
    stat = path.stat()
    return _digest_at(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=1 << 16)
def _digest_at(path: Path, changed: int, size: int) -> str:
    """Of a file as it was then: a folder of noise is looked at by many stages."""
    return digest_of(path)


def reuse_result(
    step: Callable[..., Artifact], arguments: Sequence[Any], out: Path, among: Iterable[Path]
) -> None:
    """Copy to `out` what the same step already made elsewhere from the same things, if it did.

    `among` are files that lie in the folders to look at.
    """
    if out.exists():
        return
    recipe = step.recipe_of(*arguments)  # type: ignore[attr-defined]
    for folder in sorted(file.parent for file in among):
        whole = (folder / MADE).is_file() and not (folder / PRUNED).exists()
        whole = whole and not folder.name.startswith(".")
        if whole and not _changes(read_json(folder / MADE), recipe):
            scratch = out.with_name(f".{out.name}")
            shutil.rmtree(scratch, ignore_errors=True)
            shutil.copytree(folder, scratch)
            write_json({"seconds": 0.0}, scratch / TIMING)  # they were spent there
            scratch.rename(out)
            return


def run_root_of(folder: Path) -> Path:
    """The run that a folder belongs to, or the folder itself."""
    whole = folder.absolute()
    return next((each for each in (whole, *whole.parents) if (each / RUN_MARKER).is_file()), whole)


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(value: Any, path: Path) -> None:
    """Write a small file whole or not at all."""
    scratch = path.with_name(f".{path.name}")
    scratch.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    scratch.replace(path)


class JsonRecord:
    """A small dataclass kept in a JSON file named after its class."""

    def save(self, folder: Path) -> Self:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(schema.plain(self), self._path(folder))
        return self

    @classmethod
    def load(cls, folder: Path) -> Self:
        return schema.parse(cls, cls._path(folder).read_bytes())

    @classmethod
    def _path(cls, folder: Path) -> Path:
        snake_case = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        return folder / f"{snake_case}.json"


def _begin(scratch: Path, recipe: Mapping[str, Any]) -> None:
    """Go on with unfinished work if it was begun from the same things, else start afresh."""
    note = scratch / MADE
    if scratch.exists() and not (note.is_file() and not _changes(read_json(note), recipe)):
        shutil.rmtree(scratch)
    scratch.mkdir(parents=True, exist_ok=True)
    write_json(recipe, note)


def _finish(scratch: Path, recipe: Mapping[str, Any], seconds: float) -> None:
    """Sign what came out, and note the time it took, which is not signed."""
    came_out = sorted(each for each in scratch.rglob("*") if each.is_file() and _signed(each))
    content = {each.relative_to(scratch).as_posix(): digest_of(each) for each in came_out}
    write_json({**recipe, "content": content}, scratch / MADE)
    write_json({"seconds": round(seconds, 1)}, scratch / TIMING)


def _give_back_memory() -> None:
    """Return what an engine's models held to the system: glibc keeps it for every thread."""
    gc.collect()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def _signed(path: Path) -> bool:
    """Audio is signed by the manifest that lists it; notes on how it went are not results."""
    return path.suffix not in {".wav", ".log", ".html"} and path.name not in {MADE, TIMING, SPEED}


def _changes(made: Mapping[str, Any], recipe: Mapping[str, Any]) -> list[str]:
    """What differs between two recipes, as `place: before -> now`."""
    return [f"{place}: {old!r} -> {new!r}" for place, old, new in differences(made, recipe)]


def differences(old: Any, new: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """What differs between two pieces of plain data: place, old, new."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new} - {"content"}):
            yield from differences(old.get(key), new.get(key), f"{at}.{key}" if at else str(key))
    elif old != new:
        yield at, old, new


class _room_on_disk:  # noqa: N801  (reads as a statement)
    """Turn a full disk into a sentence."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise SpaceError(
                f"{self.out}: the disk is full; make room and run the same command again, "
                "what is finished is kept"
            ) from error


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(
        os.lstat(Path(at) / name).st_size for at, _, names in os.walk(folder) for name in names
    )
