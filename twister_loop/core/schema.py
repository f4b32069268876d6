"""Plain data <-> dataclasses, checked: the only place that knows pydantic."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import to_json

T = TypeVar("T")

STRICT = ConfigDict(extra="forbid")
"""Set as `__pydantic_config__` on a dataclass that must refuse unknown fields."""


def parse_data(kind: type[T], data: Any) -> T:
    """Build a `kind` from parsed YAML or JSON, or say in one `ValueError` all that is wrong."""
    try:
        value: T = _adapters[kind].validate_python(data)
    except ValidationError as cause:
        raise ValueError("; ".join(_validation_errors(kind, cause))) from cause
    return value


def parse_json(kind: type[T], text: str | bytes) -> T:
    """Build a `kind` from JSON text, or say in one `ValueError` all that is wrong."""
    try:
        value: T = _adapters[kind].validate_json(text)
    except ValidationError as cause:
        raise ValueError("; ".join(_validation_errors(kind, cause))) from cause
    return value


def to_json_data(value: object) -> Any:
    """Turn a dataclass into JSON-ready data, leaving out what is None."""
    return _adapters[type(value)].dump_python(value, mode="json", exclude_none=True)


def to_json_line(value: object, **otherwise: str) -> str:
    """Turn a dataclass into one line of JSON, leaving out what is None or at its default.

    `otherwise` are fields to note with other texts than they have; they come first.
    """
    noted: bytes = _adapters[type(value)].dump_json(
        value, exclude_none=True, exclude_defaults=True, exclude=set(otherwise)
    )
    if not otherwise:
        return noted.decode()
    before = to_json(otherwise).decode()
    return f"{before[:-1]},{noted.decode()[1:]}" if noted != b"{}" else before


def nearest(name: str, names: Iterable[str]) -> str:
    """Say which known name an unknown one was probably meant to be."""
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}"


class _Adapters(dict[type, TypeAdapter[Any]]):
    """Built once for every type: building is slow, using is fast."""

    def __missing__(self, kind: type) -> TypeAdapter[Any]:
        return self.setdefault(kind, TypeAdapter(kind))


_adapters = _Adapters()


def _validation_errors(kind: type, cause: ValidationError) -> Iterable[str]:
    for wrong in cause.errors():
        place = ".".join(map(str, wrong["loc"]))
        if wrong["type"] in {"unexpected_keyword_argument", "extra_forbidden"}:
            known = _fields(kind, wrong["loc"][:-1])
            hint = f"; {nearest(str(wrong['loc'][-1]), known)}" if known else ""
            yield f"{place}: unknown{hint}"
        elif wrong["type"] in {"missing", "missing_argument", "missing_keyword_only_argument"}:
            yield f"{place}: missing"
        elif wrong["type"] == "value_error":  # our own sentence, of one option or of several
            said = str(wrong["ctx"]["error"])
            yield f"{place}: {said}" if place else said
        else:
            given = wrong.get("input")
            said = "" if isinstance(given, dict | list) else f", not {given!r}"
            yield f"{place}: {wrong['msg'][:1].lower()}{wrong['msg'][1:]}{said}"


def _fields(kind: Any, place: Iterable[int | str]) -> list[str]:
    """The fields of the dataclass at a place inside another; none where it is no dataclass."""
    for step in place:
        inside = get_type_hints(kind).get(str(step)) if is_dataclass(kind) else None
        kind = next(filter(is_dataclass, (inside, *get_args(inside))), None)
    return [each.name for each in fields(kind)] if is_dataclass(kind) else []
