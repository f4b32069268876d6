"""Validated conversion between dataclasses and YAML or JSON: the only door to pydantic.

All mistakes are reported in one `ValueError`, each with its place and, for a misspelled name, with
the name that was probably meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_args, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json
from rapidfuzz import fuzz, process

T = TypeVar("T")

FORBID_UNKNOWN_FIELDS = ConfigDict(extra="forbid")
"""Set as `__pydantic_config__` on a dataclass whose unknown fields are errors."""
MIN_SIMILARITY = 60.0
"""Percent (rapidfuzz's `ratio`, insertions and deletions over both lengths). Below this two names
are not taken for one, so that nonsense gets the list of names and no suggestion. Two letters
swapped in a name of three ('dve' for 'dev') are 67."""


def parse_data(record_class: type[T], content: Any) -> T:
    """Return an instance of a class, built from parsed YAML or JSON.

    Raises:
        ValueError: names everything that is wrong, not only the first mistake.
    """
    try:
        instance: T = _adapters[record_class].validate_python(content)
    except ValidationError as cause:
        raise ValueError("; ".join(_describe_errors(record_class, cause))) from cause
    return instance


def parse_json(record_class: type[T], text: str | bytes) -> T:
    """Return an instance of a class, built from JSON text.

    Raises:
        ValueError: names everything that is wrong, not only the first mistake.
    """
    try:
        instance: T = _adapters[record_class].validate_json(text)
    except ValidationError as cause:
        raise ValueError("; ".join(_describe_errors(record_class, cause))) from cause
    return instance


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


def suggest_name(name: str, names: Iterable[str]) -> str:
    """Return a hint for an unknown name: the most similar of the names, or all of them.

    >>> suggest_name("toi", ["toy", "whisper"])
    "did you mean 'toy'?"
    >>> suggest_name("xyzzy", ["toy", "whisper"])
    'choose one of: toy, whisper'
    """
    choices = sorted(names)
    nearest = find_nearest_name(name, choices)
    return f"did you mean {nearest!r}?" if nearest else f"choose one of: {', '.join(choices)}"


def find_nearest_name(name: str, names: Iterable[str]) -> str | None:
    """Return the most similar of the names; None if none is similar.

    >>> find_nearest_name("trancript", ["text", "transcript"])
    'transcript'
    """
    # Sorted, so that the choice does not depend on the order of a set. `ratio` compares whole
    # names; rapidfuzz's default scorer also counts parts, so that a short name matches any long one
    # that contains its letters.
    match = process.extractOne(name, sorted(names), scorer=fuzz.ratio, score_cutoff=MIN_SIMILARITY)
    return match[0] if match else None


class _Adapters(dict[type, TypeAdapter[Any]]):
    """Cache of pydantic's adapters by class: building one is slow, using it is fast."""

    def __missing__(self, record_class: type) -> TypeAdapter[Any]:
        return self.setdefault(record_class, TypeAdapter(record_class))


_adapters = _Adapters()


def _describe_errors(record_class: type, cause: ValidationError) -> Iterator[str]:
    """Yield one phrase for each mistake, `place: what is wrong`."""
    for error in cause.errors():
        place = ".".join(map(str, error["loc"]))
        # pydantic names the same mistake by the kind of class that it occurs in.
        if error["type"] in {"unexpected_keyword_argument", "extra_forbidden"}:
            names = _list_fields(record_class, error["loc"][:-1])
            hint = f"; {suggest_name(str(error['loc'][-1]), names)}" if names else ""
            yield f"{place}: unknown{hint}"
        elif error["type"] in {"missing", "missing_argument", "missing_keyword_only_argument"}:
            yield f"{place}: missing"
        elif error["type"] == "value_error":
            # Raised by one of our own classes: it may concern one option or several together.
            message = str(error["ctx"]["error"])
            yield f"{place}: {message}" if place else message
        else:
            wrong_input = error.get("input")
            # A whole table of options would hide the message.
            is_long = isinstance(wrong_input, dict | list)
            message = f"{error['msg'][:1].lower()}{error['msg'][1:]}"
            yield f"{place}: {message}" + ("" if is_long else f", not {wrong_input!r}")


def _list_fields(record_class: Any, place: Iterable[int | str]) -> list[str]:
    """Return the field names of the dataclass at a place inside another.

    The list is empty where there is no dataclass.
    """
    for step in place:
        annotation = (
            get_type_hints(record_class).get(str(step)) if is_dataclass(record_class) else None
        )
        # The dataclass itself, or the one inside `X | None`, `tuple[X, ...]`, `dict[str, X]`.
        inner_types = (annotation, *get_args(annotation))
        record_class = next(filter(is_dataclass, inner_types), None)
    return [option.name for option in fields(record_class)] if is_dataclass(record_class) else []
