"""Places that parts come from: this package, installed distributions, and a folder of one's own.

A distribution names its parts in entry points: the group is `twister_loop.` and the last name of
the kind's package (`twister_loop.filters`), the name is the one that plans use, and the value is a
module or `module:Class`. A folder, which `--parts` or the variable `TWISTER_PARTS` names, holds
`filters/NAME.py`, `gates/NAME.py` and so on. So plans, runs and models name parts and never code.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module, invalidate_caches
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from .errors import ConfigError, describe_fault

OWN_PACKAGE = __name__.partition(".")[0]
"""Name of this package, whose parts need no record of their code: its version is recorded."""
VARIABLE = "TWISTER_PARTS"
"""Variable that names the folder of one's own. A variable, since the processes of flows, of shards
and of workers inherit it."""
FOLDER_PACKAGE = "twister_parts"
"""Name under which the modules of that folder are imported."""
A_FOLDER = "a parts folder"
"""Provider of the parts of a folder, in records. Without its path: a folder may be moved."""


@dataclass(frozen=True)
class Origin:
    """Place of one part."""

    module: str
    """Module, or package, that defines it."""
    class_name: str = ""
    """Name of its class; empty if it is the only part in the module."""
    place: str = f"the package {OWN_PACKAGE}"
    """Where it lies, for messages."""
    provider: str = ""
    """How it was provided, for records; empty for a part of this package."""

    def import_module(self) -> ModuleType:
        """Import the module that defines the part.

        Raises:
            ConfigError: Code from outside of this package cannot be imported.
        """
        if not self.provider:
            return import_module(self.module)
        try:
            return _import_unwritten(self.module)
        except Exception as cause:  # whatever somebody's code raises, such as a SyntaxError
            raise ConfigError(
                f"{self.place} cannot be imported: {describe_fault(cause)}"
            ) from cause

    def defines(self, part_class: type) -> bool:
        """Return whether a class is the one that this place defines."""
        is_inside = f"{part_class.__module__}.".startswith(f"{self.module}.")
        return is_inside and self.class_name in ("", part_class.__name__)


def parts_folder() -> Path | None:
    """Return the folder of one's own parts that `TWISTER_PARTS` names; None without one."""
    return Path(folder) if (folder := os.environ.get(VARIABLE)) else None


def use_parts_folder(folder: Path, rooms: Iterable[str]) -> None:
    """Take parts from a folder, in this process and in those that it starts.

    Args:
        folder: Folder with `filters/`, `gates/` and so on, which hold the files of parts.
        rooms: Names that these inner folders may have.

    Raises:
        ConfigError: It is no folder, or has none of the inner folders.
    """
    if not any((folder / room).is_dir() for room in rooms):
        missing = "it holds no parts" if folder.is_dir() else "there is no such folder"
        raise ConfigError(
            f"--parts {folder}: {missing}; a part is a file FOLDER/KIND/NAME.py, where KIND is one "
            f"of {', '.join(sorted(rooms))} (`twister new filter NAME --parts {folder}` writes one)"
        )
    # Absolute, because flows and workers have other working directories.
    os.environ[VARIABLE] = str(folder.resolve())


def list_origins(package: str) -> dict[str, list[Origin]]:
    """Return the places of all parts of a kind by name; a name with two of them is a clash.

    Args:
        package: The package that holds the parts of this kind, such as `twister_loop.data.filters`.
    """
    room = package.rpartition(".")[2]
    origins = defaultdict[str, list[Origin]](list)
    for name in _list_modules(import_module(package).__path__):
        origins[name].append(Origin(f"{package}.{name}"))
    for entry_point in _installed_parts():
        if entry_point.group == f"{OWN_PACKAGE}.{room}":
            origins[entry_point.name].append(_origin_of(entry_point))
    if folder := parts_folder():
        _mount(folder)
        for name in _list_modules([str(folder / room)]):
            file = folder / room / name
            place = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
            module = f"{FOLDER_PACKAGE}.{room}.{name}"
            origins[name].append(Origin(module, place=str(place), provider=A_FOLDER))
    return origins


def find_origin(part_class: type, package: str) -> tuple[str, Origin] | None:
    """Return name and place of a part from outside, by its class; None if nothing names it."""
    for name, origins in list_origins(package).items():
        for origin in origins:
            if origin.provider and origin.defines(part_class):
                return name, origin
    return None


def describe_own_fault(error: BaseException) -> str | None:
    """Return an unexpected error in one sentence, if code of a part from outside raised it.

    Returns:
        The last place in that code, and the error; None if no such code was running.
    """
    packages = {FOLDER_PACKAGE, *(point.module.partition(".")[0] for point in _installed_parts())}
    files = {
        getattr(module, "__file__", None)
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in packages
    }
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in files:
            message = " ".join(str(error).split())
            return (
                f"{frame.filename}, line {frame.lineno}, in {frame.name}: {type(error).__name__}"
                f"{f': {message}' if message else ''}; this part is not of the package, so mend it "
                "or ask its author"
            )
    return None


def _list_modules(path: Iterable[str]) -> Iterator[str]:
    """Yield the names of the modules in some folders; those named `_...` are no parts."""
    modules = iter_modules(list(path))
    return (module.name for module in modules if not module.name.startswith("_"))


# Once in a process: it reads the metadata of all installed distributions.
@cache
def _installed_parts() -> tuple[EntryPoint, ...]:
    """Return all entry points that name parts."""
    first_copies: dict[str, Distribution] = {}
    for distribution in distributions():
        # Of two copies on the module path the first is the one that is imported.
        first_copies.setdefault(distribution.name, distribution)
    return tuple(
        entry_point
        for distribution in first_copies.values()
        for entry_point in distribution.entry_points
        if entry_point.group.startswith(f"{OWN_PACKAGE}.")
    )


def _origin_of(entry_point: EntryPoint) -> Origin:
    distribution = entry_point.dist
    provider = (
        f"the distribution {distribution.name} {distribution.version}"
        if distribution
        else "an installed distribution"
    )
    return Origin(
        entry_point.module,
        entry_point.attr or "",
        place=f"{entry_point.value} of {provider}",
        provider=provider,
    )


def _mount(folder: Path) -> None:
    """Make the modules of a folder importable below `FOLDER_PACKAGE`."""
    mounted = sys.modules.get(FOLDER_PACKAGE)
    if mounted is not None and list(mounted.__path__) == [str(folder)]:
        return
    # Modules of another folder must not pass for those of this one.
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{FOLDER_PACKAGE}.")]:
        del sys.modules[name]
    # Not on `sys.path`: a folder `filters` there would hide somebody's package of that name.
    package = ModuleType(FOLDER_PACKAGE)
    package.__path__ = [str(folder)]
    sys.modules[FOLDER_PACKAGE] = package
    invalidate_caches()


def _import_unwritten(module: str) -> ModuleType:
    """Import a module without writing its bytecode."""
    # Bytecode is taken for current if the source has the same size and second of change, and a
    # folder of one's own is edited between two runs of a second each.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        return import_module(module)
    finally:
        sys.dont_write_bytecode = before
