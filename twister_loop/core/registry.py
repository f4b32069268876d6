"""The kinds of part, and how a name in the plan becomes one.

The name in the YAML is the name of the file: `{use: whisper}` under `asr:` is the one
`Recognizer` defined in `twister_loop/asr/whisper.py`. A part is a frozen dataclass; its
fields are its options. To add a part, add a file; nothing else changes. A part has no
state: models live in the frame of the generator that uses them, and die with it.
"""

from __future__ import annotations

import dataclasses
from abc import ABC
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, ClassVar, Self

from . import schema
from .errors import ConfigError


class Part(ABC):
    """Something a plan can name."""

    home: ClassVar[str]
    """The package whose files are the parts of this kind."""
    name: ClassVar[str]
    """The name of the part's file."""
    __pydantic_config__ = schema.STRICT

    def __init_subclass__(cls) -> None:
        cls.name = cls.__module__.removeprefix(f"{getattr(cls, 'home', '')}.").partition(".")[0]

    @classmethod
    def names(cls) -> list[str]:
        """All parts of this kind; files that begin with `_` are not parts."""
        found = iter_modules(import_module(cls.home).__path__)
        return sorted(module.name for module in found if not module.name.startswith("_"))

    @classmethod
    def find(cls, name: str) -> type[Self]:
        """The one part of this kind that lives in the file of that name."""
        kind = cls.__name__.lower()
        if name not in cls.names():
            raise ConfigError(f"no {kind} is called {name!r}; {schema.nearest(name, cls.names())}")
        try:
            module = import_module(f"{cls.home}.{name}")
        except ModuleNotFoundError as cause:
            raise ConfigError(
                f"{kind} {name!r} needs the package {cause.name!r}: "
                "pip install 'twister-loop[all]', or see the extras in pyproject.toml"
            ) from cause
        [part] = (
            thing
            for thing in vars(module).values()
            if isinstance(thing, type)
            and issubclass(thing, cls)
            and f"{thing.__module__}.".startswith(f"{module.__name__}.")
        )
        return part

    @classmethod
    def build(cls, spec: Mapping[str, Any], folder: Path = Path()) -> Self:
        """`{use: NAME, option: value}` -> the part, its options checked.

        Paths among the options are relative to `folder`. Raises ConfigError.
        """
        options = dict(spec)
        name = options.pop("use", None)
        if not isinstance(name, str):
            raise ConfigError(f"expected {{use: NAME, ...}}, not {dict(spec)!r}")
        try:
            part = schema.parse_data(cls.find(name), options)
            named = (each.name for each in dataclasses.fields(part))  # type: ignore[arg-type]
            values = {name: getattr(part, name) for name in named}
            paths = {n: folder / value for n, value in values.items() if isinstance(value, Path)}
            part = dataclasses.replace(part, **paths) if paths else part  # type: ignore[type-var]
        except ValueError as cause:
            raise ConfigError(f"{cls.__name__.lower()} {name}: {cause}") from cause
        if wrong := "; ".join(part.validation_errors()):
            raise ConfigError(f"{cls.__name__.lower()} {name}: {wrong}")
        return part

    def validation_errors(self) -> Iterator[str]:
        """What is wrong with its options when it is named in a plan, such as an empty folder."""
        yield from ()
