"""Differences between two records of what something was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .content_check import REDACTED

OWN_CODE = "own_code"
"""Key in the record of a part from outside of this package: how it was provided, and a digest of
its source."""


def find_differences(old: Any, new: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the place, the old and the new member wherever two pieces of JSON data differ.

    The digests of an artifact's output (`content`, `redacted`) are not compared. Lists of the same
    parts are compared part by part, by their names:
    >>> list(find_differences({"gate": {"cer": 0.1}}, {"gate": {"cer": 0.2}}))
    [('gate.cer', 0.1, 0.2)]
    >>> parts = [{"use": "duration", "at_least": 1}, {"use": "script"}]
    >>> list(find_differences(parts, [{"use": "duration", "at_least": 2}, {"use": "script"}]))
    [('duration.at_least', 1, 2)]
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new} - {"content", REDACTED}):
            yield from find_differences(old.get(key), new.get(key), _join(place, key))
    # Part by part, since one changed option would otherwise show both lists as a whole.
    elif (names := _list_names(old)) and names == _list_names(new):
        for name, before, after in zip(names, old, new, strict=True):
            yield from find_differences(before, after, _join(place, name))
    elif old != new:
        yield place, old, new


def describe_code_change(place: str, old: Any, new: Any) -> str | None:
    """Return in words that the code of a part was edited or replaced; None for other differences.

    >>> describe_code_change("from.filters.loud.own_code.digest", "0a", "1b")
    'the code of from.filters.loud was edited (digest 0a -> 1b)'
    """
    part, _, key = place.partition(f".{OWN_CODE}.")
    if key == "digest":
        return f"the code of {part} was edited (digest {old} -> {new})"
    return f"{part} was provided by {old}, and is now by {new}" if key else None


def _list_names(parts: Any) -> list[str]:
    """Return the names of a list of parts; empty if it is none, or if a name is in it twice."""
    if not isinstance(parts, list) or not all(isinstance(part, Mapping) for part in parts):
        return []
    # A name that is there twice would not tell which of the two has changed.
    names = [part.get("use", "") for part in parts]
    return names if all(names) and len(set(names)) == len(names) else []


def _join(place: str, key: str) -> str:
    return f"{place}.{key}" if place else str(key)
