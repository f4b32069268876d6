"""The registry of parts: a name in the plan becomes a part with validated options.

The name in the YAML is the name of the module: `{use: whisper}` under `asr:` is the one
`Recognizer` defined in the file or folder `twister_loop/asr/whisper`. A part is a frozen
dataclass; its fields are its options. To add a part, add a file; nothing else changes. A part has
no state: models are local variables of the generator that uses them, and are freed when it ends.

Parts also come from installed distributions and from a folder of one's own, see `part_origins`.
Their source is part of the cache key, since no version of this package tells what it was.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from abc import ABC
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Self

from . import schema
from .errors import ConfigError, EngineError
from .part_origins import OWN_PACKAGE, VARIABLE, Origin, find_origin, list_origins, parts_folder
from .source_digest import digest_source

RESERVED_OPTIONS = frozenset({"use", "name", "package", "requires", "own_code"})
"""Names that no option of a part may have, because parts and their records use them."""
FOLDER_OR_NAME = "folder_or_name"
"""Key of the metadata of an option that is a folder, or a name on the Hugging Face hub."""
WRITTEN_AS_PATH = ("/", "./", "../", "~")
"""Beginnings that no name on a hub has."""


def folder_or_name(default: str, /) -> str:
    """Return a dataclass field for an option that is a folder, or a name on the hub."""
    return dataclasses.field(default=default, metadata={FOLDER_OR_NAME: True})


class UnknownPart(ConfigError):  # noqa: N818  (it is not here; the plan may be right)
    """Name of a part that is neither in this package nor provided from outside."""

    def __init__(self, kind: str, name: str, hint: str) -> None:
        super().__init__(f"unknown {kind} {schema.show_value(name)}; {hint}")
        self.name = name


class PartError(ConfigError):
    """Wrong options of a part; each mistake has its place among the options."""

    def __init__(self, kind: str, name: str, mistakes: list[schema.Mistake]) -> None:
        super().__init__(f"{kind} {name}: " + "; ".join(map(str, mistakes)))
        self.mistakes = mistakes


class Part(ABC):
    """Base of everything that a plan can name."""

    package: ClassVar[str]
    """The package whose modules are the parts of this kind; set by the base class of the kind."""
    requires: ClassVar[tuple[str, ...]] = ()
    """Modules of optional packages that its methods import. They are looked for when a plan is
    read, and imported only where they compute: PyTorch alone takes more than a second."""
    name: ClassVar[str]
    """The name of the part's module; set when the class is defined."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS

    # A rule instead of a name in every part: the file is found from the name without importing
    # the others, some of which import torch.
    def __init_subclass__(cls) -> None:
        package = getattr(cls, "package", "")
        is_own = cls.__module__.partition(".")[0] == OWN_PACKAGE
        if not is_own and (named := find_origin(cls, package)):
            cls.name = named[0]
            return
        # A part may be a folder: `whisper.recognizer` is the part `whisper`.
        cls.name = cls.__module__.removeprefix(f"{package}.").partition(".")[0]

    @classmethod
    def list_names(cls) -> list[str]:
        """Return the names of all parts of this kind; modules named `_...` are not parts."""
        return sorted(list_origins(cls.package))

    @classmethod
    def find_class(cls, name: str) -> type[Self]:
        """Return the class of the part with this name.

        Raises:
            ConfigError: there is no such part, two places have one of this name, its code cannot
                be used, or a package that it needs is not installed.
        """
        kind, origins = cls.__name__.lower(), list_origins(cls.package)
        if name not in origins:
            hint, folder = schema.suggest_name(name, origins), parts_folder()
            if folder and not folder.is_dir():
                hint += f"; there is no folder {folder}, which {VARIABLE} names"
            raise UnknownPart(kind, name, hint)
        if len(origins[name]) > 1:
            # None of them wins: a plan must not mean another part where something is installed.
            places = " and ".join(origin.place for origin in origins[name])
            raise ConfigError(
                f"the {kind} {name!r} is in {places}; rename one of your own, since a name stands "
                "for one part"
            )
        [origin] = origins[name]
        try:
            module = origin.import_module()
        except ModuleNotFoundError as cause:  # of this package: others explain it themselves
            raise ConfigError(_explain_missing(kind, name, cause.name)) from cause
        # The module also holds classes that it imports, such as the base class of the kind.
        classes = [
            member
            for member in vars(module).values()
            if isinstance(member, type) and issubclass(member, cls) and origin.defines(member)
        ]
        if origin.provider:
            classes = [part_class for part_class in classes if part_class.__name__[0] != "_"]
            _check_own_class(kind, origin, classes)
        [part_class] = classes
        for package in part_class.requires:
            if find_spec(package) is None:
                if origin.provider:  # no extra of this package brings it
                    raise ConfigError(f"{origin.place} needs the package {package!r}: install it")
                raise ConfigError(_explain_missing(kind, name, package))
        part_class.own_code()  # now, for the file may be edited while this process runs
        return part_class

    @classmethod
    def own_code(cls) -> Mapping[str, str] | None:
        """Return how a part from outside of this package was provided, and a digest of its source.

        Raises:
            ConfigError: its class was defined where no other process can find it.
        """
        if cls.__module__.partition(".")[0] == OWN_PACKAGE:
            return None
        return _describe_own_code(cls)

    # By name and not by module: the process that reads it finds the part as a plan does, and
    # notices another version of it.
    def __reduce_ex__(self, protocol: Any) -> Any:
        is_own = type(self).__module__.partition(".")[0] == OWN_PACKAGE
        if is_own or find_origin(type(self), self.package) is None:
            return super().__reduce_ex__(protocol)
        return _restore, (_find_kind(type(self)), self.name, self.own_code()), vars(self)

    @classmethod
    def build(cls, spec: Mapping[str, Any], folder: Path = Path()) -> Self:
        """Build the part that `{use: NAME, option: ...}` describes.

        Args:
            spec: the name of the part under `use`, and its options.
            folder: the folder that relative paths among the options start from.

        Raises:
            ConfigError: the part is unknown or needs a package; or a `PartError`, if options are
                unknown or wrong.
        """
        # A copy: the plan is also stored as it was read.
        options = dict(spec)
        name = options.pop("use", None)
        if not isinstance(name, str):
            raise ConfigError(f"expected {{use: NAME, ...}}, not {dict(spec)!r}")
        try:
            part = schema.parse_data(cls.find_class(name), options)
            part = part.relative_to(folder)
        except schema.RecordError as cause:
            raise PartError(cls.__name__.lower(), name, cause.mistakes) from cause
        except ValueError as cause:  # of a part's own check, which runs again with absolute paths
            mistake = schema.Mistake((), str(cause))
            raise PartError(cls.__name__.lower(), name, [mistake]) from cause
        # Only now, because these look at files, whose paths must be absolute.
        if errors := [schema.Mistake((), error) for error in part.validation_errors()]:
            raise PartError(cls.__name__.lower(), name, errors)
        return part

    def relative_to(self, folder: Path) -> Self:
        """Return this part with all paths among its options made relative to a folder.

        That is the folder of the plan and not the working directory, so that a plan can be run
        from anywhere. `~` is a home folder, as in a shell.

        Raises:
            ValueError: a path begins with `~NAME`, and there is no such user.
        """
        changes: dict[str, Path | str] = {
            option.name: folder / expand_home(path)
            for option in dataclasses.fields(self)  # type: ignore[arg-type]
            if isinstance(path := getattr(self, option.name), Path)
        }
        for name in list_folders_or_names(type(self)):
            value = getattr(self, name)
            path = (folder / expand_home(value)).absolute()
            # What is neither written as a path nor there is a name.
            if value.startswith(WRITTEN_AS_PATH) or path.is_dir():
                changes[name] = str(path)
        return dataclasses.replace(self, **changes) if changes else self  # type: ignore[type-var]

    def validation_errors(self) -> Iterator[str]:
        """Yield what is wrong with the options beyond their types, such as an empty folder."""
        yield from ()


def expand_home(path: Path | str) -> Path:
    """Return a path with `~` or `~NAME` at its beginning replaced by the home folder.

    Raises:
        ValueError: there is no such user.

    >>> expand_home("calls/may"), expand_home("~/calls") == Path.home() / "calls"
    (PosixPath('calls/may'), True)
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f"{path}: this machine has no user of that name") from None


def list_folders_or_names(part_class: type[Part]) -> list[str]:
    """Return the options of a part that are a folder, or a name on the hub."""
    options = dataclasses.fields(part_class)  # type: ignore[arg-type]
    return [option.name for option in options if FOLDER_OR_NAME in option.metadata]


@cache
def _describe_own_code(part_class: type[Part]) -> Mapping[str, str]:
    module, kind = part_class.__module__, _find_kind(part_class).__name__.lower()
    if module == "__main__" or not getattr(sys.modules.get(module), "__file__", None):
        room = part_class.package.rpartition(".")[2]
        raise ConfigError(
            f"the {kind} {part_class.__name__} is defined in {module}, where no other process "
            "finds it, so nothing that is made with it could be made again; write it to a file "
            f"FOLDER/{room}/NAME.py, and name the folder in {VARIABLE} or with --parts"
        )
    named = find_origin(part_class, part_class.package)
    provider = named[1].provider if named else f"the module {module}"
    return {"from": provider, "digest": digest_source(module)}


def _find_kind(part_class: type[Part]) -> type[Part]:
    """Return the base class of a part's kind, such as `Filter`."""
    return next(base for base in part_class.__mro__ if "package" in vars(base))


def _restore(kind: type[Part], name: str, own_code: Mapping[str, str]) -> Part:
    """Return a part from outside without its options, which are set when it is unpickled.

    Raises:
        EngineError: this process finds another version of its code.
    """
    part_class = kind.find_class(name)
    if part_class.own_code() != own_code:
        raise EngineError(
            f"the code of the {kind.__name__.lower()} {name!r} is not the one that the stage was "
            f"started with ({own_code['from']}); install the same here, or set {VARIABLE} to a "
            "folder with the same files"
        )
    return object.__new__(part_class)


def _check_own_class(kind: str, origin: Origin, classes: list[type[Any]]) -> None:
    """Raise ConfigError unless a place outside of this package defines one part as it should be."""
    if len(classes) != 1:
        names = ", ".join(part_class.__name__ for part_class in classes)
        counted = f"{len(classes)} ({names})" if classes else "none"
        raise ConfigError(
            f"{origin.place}: expected one class that is a {kind}, and it defines {counted}; names "
            "of helper classes begin with `_`"
        )
    [part_class] = classes
    where = f"{origin.place}: {part_class.__name__}"
    # Its own and not inherited: options of a class that is not decorated would be left out.
    parameters = vars(part_class).get("__dataclass_params__")
    if parameters is None or not parameters.frozen:
        raise ConfigError(f"{where}: write `@dataclass(frozen=True)` above the class")
    if inspect.isabstract(part_class):
        missing = ", ".join(sorted(part_class.__abstractmethods__))
        raise ConfigError(f"{where}: a {kind} has to define {missing}")
    if reserved := {option.name for option in dataclasses.fields(part_class)} & RESERVED_OPTIONS:
        raise ConfigError(f"{where}: no option can be called {', '.join(sorted(reserved))}")


def _explain_missing(kind: str, name: str, package: str | None) -> str:
    """Return the error for a part whose package is not installed, with the remedy."""
    return (
        f"{kind} {name!r} needs the package {package!r}: "
        "pip install 'twister-loop[all]', or see the extras in pyproject.toml"
    )
