"""Mistakes in YAML and JSON are reported all at once, with the name that was meant."""

from dataclasses import dataclass, field

import pytest

from twister_loop.core import schema


@dataclass(frozen=True)
class Inner:
    size: int = 1
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS


@dataclass(frozen=True)
class Outer:
    inner: Inner | None = None
    names: list[str] = field(default_factory=list)
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS


def test_all_mistakes_are_reported_with_their_places() -> None:
    with pytest.raises(ValueError) as mistakes:
        schema.parse_data(Outer, {"inner": {"sise": 2}, "name": [], "names": 3})
    message = str(mistakes.value)
    assert "inner.sise: unknown; did you mean 'size'?" in message
    assert "name: unknown; did you mean 'names'?" in message
    assert "names: must be a list, each element text, not 3" in message


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("dve", "did you mean 'dev'?"),
        ("retentoin", "did you mean 'retention'?"),
        ("xyzzy", "choose one of: dev, retention, test"),
        ("d", "choose one of: dev, retention, test"),
        ("", "choose one of: dev, retention, test"),
    ],
)
def test_only_similar_names_are_suggested(name: str, hint: str) -> None:
    assert schema.suggest_name(name, ["test", "dev", "retention"]) == hint


def test_replaced_fields_come_first_in_a_line() -> None:
    assert schema.to_json_line(Inner(size=2)) == '{"size":2}'
    assert schema.to_json_line(Outer(Inner(3)), names="x") == '{"names":"x","inner":{"size":3}}'
    assert schema.to_json_line(Outer(), names="x") == '{"names":"x"}'
