"""Validated conversion between dataclasses and YAML or JSON: the only door to pydantic.

All mistakes are reported in one `ValueError`, each with its place and, for a misspelled name, with
the name that was probably meant.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from .schema_errors import Mistake, describe_mistakes, find_nearest_name, show_value, suggest_name

__all__ = [
    "FORBID_UNKNOWN_FIELDS",
    "Mistake",
    "RecordError",
    "find_nearest_name",
    "json_schema",
    "parse_data",
    "parse_json",
    "show_value",
    "suggest_name",
    "to_json_data",
    "to_json_line",
]

T = TypeVar("T")

FORBID_UNKNOWN_FIELDS = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Set as `__pydantic_config__` on a dataclass of options: unknown fields are errors, and so are
numbers that are infinite or NaN, which pass every comparison unnoticed."""


class RecordError(ValueError):
    """Everything that is wrong in a record; the message is one phrase for each mistake."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes


def parse_data(record_class: type[T], content: Any) -> T:
    """Return an instance of a class, built from parsed YAML or JSON.

    Raises:
        RecordError: names everything that is wrong, not only the first mistake.
    """
    try:
        instance: T = _adapters[record_class].validate_python(content)
    except ValidationError as cause:
        raise RecordError(describe_mistakes(record_class, cause.errors())) from cause
    return instance


def parse_json(record_class: type[T], text: str | bytes) -> T:
    """Return an instance of a class, built from JSON text.

    Raises:
        RecordError: names everything that is wrong, not only the first mistake.
    """
    try:
        instance: T = _adapters[record_class].validate_json(text)
    except ValidationError as cause:
        raise RecordError(describe_mistakes(record_class, cause.errors())) from cause
    return instance


def json_schema(record_class: type) -> dict[str, Any]:
    """Return the JSON Schema of a class, by which other programs check what they write.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class BeamOptions:
    ...     beam: int = 1
    >>> json_schema(BeamOptions)["properties"]["beam"]["type"]
    'integer'
    """
    return _adapters[record_class].json_schema()


def to_json_data(instance: object) -> Any:
    """Return a dataclass as data that `json` can write, without the fields that are None."""
    # None is left out, so that a new optional field does not change older files.
    content = _adapters[type(instance)].dump_python(instance, mode="json", exclude_none=True)
    return escape_surrogates(content)


def to_json_line(instance: object, **replacements: str) -> str:
    """Return a dataclass as one line of JSON, without fields that are None or at their default.

    Args:
        instance: the dataclass.
        replacements: texts to write instead of the values of these fields; they come first.
    """
    rest = _dump_line(instance, set(replacements)).decode()
    if not replacements:
        return rest
    first = to_json(replacements).decode()
    # Two JSON objects are joined as text: manifests have millions of lines, and a copy of the
    # dataclass with other values takes longer than all the rest.
    return f"{first[:-1]},{rest[1:]}" if rest != "{}" else first


def _dump_line(instance: object, exclude: set[str]) -> bytes:
    adapter = _adapters[type(instance)]
    try:
        line: bytes = adapter.dump_json(
            instance, exclude_none=True, exclude_defaults=True, exclude=exclude
        )
    except PydanticSerializationError:
        # A message that quotes the bytes of a file name: they are no text, and JSON holds text.
        content = adapter.dump_python(
            instance, mode="json", exclude_none=True, exclude_defaults=True, exclude=exclude
        )
        line = to_json(escape_surrogates(content), inf_nan_mode="null")
    return line


def escape_surrogates(content: Any) -> Any:
    r"""Return JSON data whose texts can be encoded: lone surrogates become `\udce9`.

    >>> escape_surrogates({"caf\udce9": ["a"]})
    {'caf\\udce9': ['a']}
    """
    if isinstance(content, str):
        return content.encode("utf-8", "backslashreplace").decode()
    if isinstance(content, list):
        return [escape_surrogates(member) for member in content]
    if isinstance(content, dict):
        return {escape_surrogates(key): escape_surrogates(content[key]) for key in content}
    return content


class _Adapters(dict[type, TypeAdapter[Any]]):
    """Cache of pydantic's adapters by class: building one is slow, using it is fast."""

    def __missing__(self, record_class: type) -> TypeAdapter[Any]:
        return self.setdefault(record_class, TypeAdapter(record_class))


_adapters = _Adapters()
