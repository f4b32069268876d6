"""YAML of plans: what is read as YAML 1.2 reads it, and what is refused."""

from typing import Any

import pytest

from twister_loop.pipeline.yaml_format import YAMLError, parse_yaml


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("1e-5", 1e-5),
        ("1.5E3", 1500.0),
        (".5", 0.5),
        ("-3", -3),
        ("1_000", 1000),
        ("010", "010"),
        ("12:30:45", "12:30:45"),
        ("2024-01-01", "2024-01-01"),
        ("1e5x", "1e5x"),
        ("no", False),
        ("'no'", "no"),
    ],
)
def test_numbers_are_those_of_yaml_1_2_and_dates_stay_text(text: str, content: Any) -> None:
    value = parse_yaml(f"key: {text}")["key"]
    assert value == content and type(value) is type(content)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rounds: " + "9" * 5000, "line 1: '99999999999999999999' is no number that can be read"),
        ("pool: " + "[" * 40 + "]" * 40, "nested more than 30 deep"),
        ("[" * 100_000, "nested more than 30 deep"),
        ("x" * 1_000_001, "more than 1000000 characters"),
        ("a: &a [*a]", "unfolds to more than 100000 values"),
        ('language: "\\ud800"', "holds a character that is no text"),
        ('pool: "a\\0b"', "holds a character that is no text"),
        ("seed: 1\nseed: 2", "the key 'seed' stands in line 1 and in line 2"),
        ("pool: !!python/object:os.system x", "could not determine a constructor"),
    ],
)
def test_what_no_plan_holds_is_refused(text: str, message: str) -> None:
    with pytest.raises(YAMLError) as error:
        parse_yaml(text)
    assert message in str(error.value)


def test_aliases_of_aliases_are_refused_before_they_unfold() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(YAMLError, match="unfolds to more than 100000 values"):
        parse_yaml("\n".join(lines))
