"""The registry of parts: a name in the plan becomes a part with validated options.

The name in the YAML is the name of the module: `{use: whisper}` under `asr:` is the one
`Recognizer` defined in the file or folder `twister_loop/asr/whisper`. A part is a frozen
dataclass; its fields are its options. To add a part, add a file; nothing else changes. A part has
no state: models are local variables of the generator that uses them, and are freed when it ends.
"""

from __future__ import annotations

import dataclasses
from abc import ABC
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, ClassVar, Self

from . import schema
from .errors import ConfigError


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
        module = cls.__module__.removeprefix(f"{getattr(cls, 'package', '')}.")
        # A part may be a folder: `whisper.recognizer` is the part `whisper`.
        cls.name = module.partition(".")[0]

    @classmethod
    def list_names(cls) -> list[str]:
        """Return the names of all parts of this kind; modules named `_...` are not parts."""
        modules = iter_modules(import_module(cls.package).__path__)
        return sorted(module.name for module in modules if not module.name.startswith("_"))

    @classmethod
    def find_class(cls, name: str) -> type[Self]:
        """Return the class of the part with this name.

        Raises:
            ConfigError: there is no such part, or a package that it needs is not installed.
        """
        kind = cls.__name__.lower()
        if name not in cls.list_names():
            hint = schema.suggest_name(name, cls.list_names())
            raise ConfigError(f"unknown {kind} {schema.show_value(name)}; {hint}")
        try:
            module = import_module(f"{cls.package}.{name}")
        except ModuleNotFoundError as cause:
            raise ConfigError(_explain_missing(kind, name, cause.name)) from cause
        # The module also holds classes that it imports, such as the base class of the kind.
        [part_class] = (
            member
            for member in vars(module).values()
            if isinstance(member, type)
            and issubclass(member, cls)
            and f"{member.__module__}.".startswith(f"{module.__name__}.")
        )
        for package in part_class.requires:
            if find_spec(package) is None:
                raise ConfigError(_explain_missing(kind, name, package))
        return part_class

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
            option_names = [option.name for option in dataclasses.fields(part)]  # type: ignore[arg-type]
            # Relative to the plan and not to the working directory, so that a plan can be run from
            # anywhere.
            absolute_paths = {
                option_name: folder / path
                for option_name in option_names
                if isinstance(path := getattr(part, option_name), Path)
            }
            if absolute_paths:
                part = dataclasses.replace(part, **absolute_paths)  # type: ignore[type-var]
        except schema.RecordError as cause:
            raise PartError(cls.__name__.lower(), name, cause.mistakes) from cause
        except ValueError as cause:  # of a part's own check, which runs again with absolute paths
            mistake = schema.Mistake((), str(cause))
            raise PartError(cls.__name__.lower(), name, [mistake]) from cause
        # Only now, because these look at files, whose paths must be absolute.
        if errors := [schema.Mistake((), error) for error in part.validation_errors()]:
            raise PartError(cls.__name__.lower(), name, errors)
        return part

    def validation_errors(self) -> Iterator[str]:
        """Yield what is wrong with the options beyond their types, such as an empty folder."""
        yield from ()


def _explain_missing(kind: str, name: str, package: str | None) -> str:
    """Return the error for a part whose package is not installed, with the remedy."""
    return (
        f"{kind} {name!r} needs the package {package!r}: "
        "pip install 'twister-loop[all]', or see the extras in pyproject.toml"
    )
