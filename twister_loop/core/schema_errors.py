"""Sentences about wrong values, from the declaration of the option and not from a library's words.

An error of pydantic names a place and a value. What is allowed there is read from the annotation
of the field, with its `Range`, so that the check, the message and the reference of options agree.
"""

from __future__ import annotations

import collections.abc
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from rapidfuzz import fuzz, process

from .ranges import MinLen, Range, Span

MIN_SIMILARITY = 60.0
"""Percent (rapidfuzz's `ratio`, insertions and deletions over both lengths). Below this two names
are not taken for one, so that nonsense gets the list of names and no suggestion. Two letters
swapped in a name of three ('dve' for 'dev') are 67."""
MAX_SHOWN = 60
"""Most characters of a wrong value in a message."""
MAX_NAMES = 12
"""Most names of a list in a message that describes a type."""
UNKNOWN = {"unexpected_keyword_argument", "extra_forbidden"}
MISSING = {"missing", "missing_argument", "missing_keyword_only_argument"}
"""Types of pydantic's errors: it names the same mistake by the kind of class it occurs in."""
ACCEPTED_BY_YAML = "YAML reads an unquoted no, yes, on or off as true or false; write it in quotes"
WORDS_OF_TYPES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    type(None): "null",
}


class Mistake(NamedTuple):
    """One thing that is wrong in a record."""

    place: tuple[int | str, ...]
    """Keys and positions that lead to it, as they are written."""
    message: str

    def __str__(self) -> str:
        place = ".".join(map(str, self.place))
        return f"{place}: {self.message}" if place else self.message


def describe_mistakes(record_class: type, errors: Iterable[Mapping[str, Any]]) -> list[Mistake]:
    """Return pydantic's errors as sentences, each place once.

    Args:
        record_class: The dataclass, or other type, that was to be built.
        errors: Pydantic's errors, as `ValidationError.errors()` returns them.
    """
    # In the order of the document, as a reader corrects them.
    mistakes = dict[tuple[int | str, ...], Mistake]()
    for error in errors:
        mistake = _describe_mistake(record_class, error)
        # Every alternative of a union reports its own error for the same place.
        mistakes.setdefault(mistake.place, mistake)
    # An alternative that fitted further down tells more than those that did not fit at all.
    return [
        mistake
        for place, mistake in mistakes.items()
        if not any(len(other) > len(place) and other[: len(place)] == place for other in mistakes)
    ]


def describe_type(annotation: Any) -> str:
    """Return in words what an annotation allows.

    >>> describe_type(Annotated[int, Range(1, 10)] | None)
    'a whole number from 1 to 10, or null'
    >>> describe_type(tuple[float, float])
    'a list of 2: a number, a number'
    """
    annotation, metadata = _strip(annotation)
    bounds = next((bounds for bounds in metadata if isinstance(bounds, Range)), None)
    for constraint in metadata:
        if isinstance(constraint, Span):
            return str(constraint)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in WORDS_OF_TYPES:
        words = WORDS_OF_TYPES[annotation]
        return f"{words} {bounds}" if bounds else words
    if origin is Literal:
        return f"one of: {', '.join(map(show_value, arguments))}"
    if origin in (Union, types.UnionType):
        # "null" last, as it is what a reader asks for least.
        members = sorted(arguments, key=lambda member: member is type(None))
        return ", or ".join(dict.fromkeys(map(describe_type, members)))
    if origin is tuple and Ellipsis not in arguments:
        return f"a list of {len(arguments)}: {', '.join(map(describe_type, arguments))}"
    if origin in (list, tuple, collections.abc.Sequence, frozenset, set):
        listed = (
            "a list of one or more"
            if any(isinstance(bound, MinLen) for bound in metadata)
            else "a list"
        )
        return f"{listed}, each element {describe_type(arguments[0])}" if arguments else listed
    if origin in (dict, collections.abc.Mapping):
        if arguments[1] is Any:  # a part and its options, as plans name one
            return "{use: NAME, ...}"
        return f"`name: value` lines, each value {describe_type(arguments[1])}"
    if is_dataclass(annotation):
        names = [option.name for option in fields(annotation)]
        more = ", ..." if len(names) > MAX_NAMES else ""
        return f"a block of options ({', '.join(names[:MAX_NAMES])}{more})"
    return "a value" if annotation is Any else str(getattr(annotation, "__name__", annotation))


def show_value(content: object) -> str:
    """Return a value as a plan would write it, shortened.

    >>> show_value(True), show_value(None), show_value("ko"), show_value([1])
    ('true', 'null', "'ko'", '[1]')
    """
    if isinstance(content, bool):
        return "true" if content else "false"
    if content is None:
        return "null"
    if isinstance(content, Mapping):
        return "a block of names and values"
    if isinstance(content, Sequence) and not isinstance(content, str | bytes):
        shown = ", ".join(map(show_value, content))
        return f"[{shown}]" if len(shown) <= MAX_SHOWN else f"a list of {len(content)}"
    if isinstance(content, int) and abs(content) >= 10**MAX_SHOWN:
        return "a number of very many digits"  # Python refuses to write thousands of digits
    # Escapes, because a lone surrogate or a control character cannot be printed.
    shown = (
        ascii(content) if isinstance(content, str) and not content.isprintable() else repr(content)
    )
    return shown if len(shown) <= MAX_SHOWN else f"{shown[: MAX_SHOWN - 3]}..."


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


def list_options(record_class: type) -> Iterator[tuple[str, Any]]:
    """Yield name and annotation of every field of a dataclass."""
    hints = get_type_hints(record_class, include_extras=True)
    for option in fields(record_class):
        yield option.name, hints[option.name]


def _describe_mistake(record_class: type, error: Mapping[str, Any]) -> Mistake:
    kind, location = error["type"], tuple(error["loc"])
    if kind in UNKNOWN:
        place, annotation = _find_place(record_class, location[:-1])
        name = location[-1]
        owner = next(filter(is_dataclass, _alternatives(annotation)), None)
        names = [option.name for option in fields(owner)] if owner else []
        hint = f"; {suggest_name(str(name), names)}" if names else ""
        return Mistake((*place, name), f"unknown{hint}")
    if kind in MISSING and isinstance(location[-1], str):
        place, _ = _find_place(record_class, location)
        return Mistake(place, "missing")
    if kind == "value_error":
        # Raised by one of our own classes: it may concern one option or several together.
        place, _ = _find_place(record_class, location)
        return Mistake(place, str(error["ctx"]["error"]))
    if location and location[-1] == "[key]":
        place, annotation = _find_place(record_class, location[:-2])
        mappings = (get_args(member) for member in _alternatives(annotation))
        key_type = next((arguments[0] for arguments in mappings if len(arguments) == 2), str)
        return Mistake(place, f"each name {_wrong_value(key_type, error)}")
    # A list that is too short lacks an element, whose place is not in the document.
    is_short = kind in MISSING
    place, annotation = _find_place(record_class, location[:-1] if is_short else location)
    return Mistake(place, _wrong_value(annotation, error))


def _wrong_value(annotation: Any, error: Mapping[str, Any]) -> str:
    content = error["input"]
    message = f"must be {describe_type(annotation)}"
    if error["type"] in MISSING or error["type"] in {"too_long", "too_short"}:
        return message
    message += f", not {show_value(content)}"
    members = list(_alternatives(annotation))
    # The nearest of the allowed words, as for a misspelled key.
    literals = [
        str(choice)
        for member in members
        if get_origin(member) is Literal
        for choice in get_args(member)
    ]
    if literals and isinstance(content, str):
        hint = suggest_name(content, literals)
        return f"{message}; {hint}" if hint.startswith("did") else message
    return f"{message}{_quote(error)}" if str in members else message


def _quote(error: Mapping[str, Any]) -> str:
    """Return how to write a text that YAML took for a truth value, such as the language `no`."""
    if not isinstance(error["input"], bool):
        return ""
    return f" ({ACCEPTED_BY_YAML}: {'yes' if error['input'] else 'no'!r})"


def _find_place(
    record_class: Any, location: Iterable[int | str]
) -> tuple[tuple[int | str, ...], Any]:
    """Return where pydantic's location leads, without the names of types that it puts in between.

    Returns:
        The keys as they are written, and the annotation there.
    """
    place, annotation = list[int | str](), record_class
    for step in location:
        members = [member for member in _members(annotation) if member is not type(None)]
        is_union = get_origin(_strip(annotation)[0]) in (Union, types.UnionType)
        inner = [child for member in members for child in _children(_strip(member)[0], step)]
        # pydantic names the alternative of a union before it goes on inside of it.
        if (is_union and len(members) > 1 and not _is_resolved(annotation)) or not inner:
            annotation = _Resolved(members) if len(members) > 1 else annotation
            continue
        # The first alternative that has such a step: others cannot have been tried further.
        place.append(step)
        annotation = inner[0]
    return tuple(place), annotation.union if isinstance(annotation, _Resolved) else annotation


class _Resolved:
    """A union of which pydantic has named the alternative; the next step goes inside of it."""

    def __init__(self, members: list[Any]) -> None:
        self.members = members
        self.union = Union[tuple(members)]  # noqa: UP007  (the members are only known here)


def _is_resolved(annotation: Any) -> bool:
    return isinstance(annotation, _Resolved)


def _alternatives(annotation: Any) -> Iterator[Any]:
    """Yield the members of a union without their ranges, or the annotation itself."""
    for member in _members(annotation):
        yield _strip(member)[0]


def _members(annotation: Any) -> Iterator[Any]:
    """Yield the members of a union with their ranges, or the annotation itself."""
    if isinstance(annotation, _Resolved):
        yield from annotation.members
    elif get_origin(_strip(annotation)[0]) in (Union, types.UnionType):
        for member in get_args(_strip(annotation)[0]):
            yield from _members(member)
    else:
        yield annotation


def _children(annotation: Any, step: int | str) -> Iterator[Any]:
    """Yield the annotation of what stands at one step inside, if there is such a step."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if is_dataclass(annotation) and isinstance(annotation, type):
        hints = get_type_hints(annotation, include_extras=True)
        if step in hints:
            yield hints[str(step)]
    elif origin in (dict, collections.abc.Mapping):
        yield arguments[1]
    elif isinstance(step, int) and origin is tuple and Ellipsis not in arguments:
        yield from arguments[step : step + 1]
    elif isinstance(step, int) and origin in (list, tuple, collections.abc.Sequence):
        yield arguments[0]


def _strip(annotation: Any) -> tuple[Any, list[Any]]:
    """Return an annotation without its metadata, and the metadata, such as a range."""
    if get_origin(annotation) is not Annotated:
        return annotation, []
    inner, *metadata = get_args(annotation)
    return inner, metadata
