"""Every option of every part: values outside its range are refused, the ends of it run."""

import logging
from collections.abc import Iterable, Iterator
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import pytest

from twister_loop import load
from twister_loop.core.errors import TwisterError
from twister_loop.core.registry import Part
from twister_loop.data.filters._base import Filter
from twister_loop.evaluation.gates._base import Gate
from twister_loop.pipeline.loop import next_round
from twister_loop.text.normalizers._base import Normalizer

from .. import world as toy
from ..options import KINDS, Option, inside, list_block_options, list_part_options, outside

JARGON = ("nput should", "pydantic", "type=", "validation error", "Traceback")
"""Words of libraries that no message may have."""
NOT_TOY = ("rescore", "scan.speakers", "filter dnsmos")
"""Owners whose options need an engine that the toy world has not."""


def options_by_owner() -> dict[str, list[Option]]:
    """Return the options whose parts need no engine, by the part or block that they belong to."""
    owners: dict[str, list[Option]] = {}
    light = chain.from_iterable(map(list_part_options, (Filter, Gate, Normalizer)))
    for option in chain(list_block_options(), light):
        owners.setdefault(option.owner or option.place, []).append(option)
    return owners


OWNERS = options_by_owner()


@pytest.mark.model
@pytest.mark.parametrize("kind", KINDS)
def test_values_outside_of_the_range_of_a_part_are_answered_with_one_sentence(
    kind: type[Part],
) -> None:
    check_refusals(list_part_options(kind))


def test_values_outside_of_the_range_of_a_key_are_answered_with_one_sentence() -> None:
    check_refusals(list_block_options())


def check_refusals(options: Iterable[Option]) -> None:
    for option in options:
        values = list(outside(option.annotation))
        assert values, f"{option.place} accepts everything"
        for value in values:
            with pytest.raises((TwisterError, ValueError)) as error:
                option.parse(value)
            message = str(error.value)
            assert option.place.rpartition(".")[2] in message, (option.place, message)
            assert not any(word in message for word in JARGON), message
            assert len(message) < 400 and "\n" not in message, message


@pytest.mark.parametrize("owner", [owner for owner in OWNERS if not owner.startswith(NOT_TOY)])
def test_a_round_with_values_at_the_ends_of_their_ranges_ends_without_a_traceback(
    owner: str, tmp_path: Path
) -> None:
    world = toy.build(tmp_path)
    for number, changes in enumerate(extremes(owner)):
        try:
            next_round(load(world, changes), tmp_path / f"run{number}")
        except TwisterError:
            # Two ends together may contradict each other, or leave nothing to train on: a sentence.
            logging.info("refused: %s", changes)


def extremes(owner: str) -> Iterator[dict[str, Any]]:
    """Yield changes of a plan with all options of an owner at an end of their ranges."""
    options = [option for option in OWNERS[owner] if option.place != "rounds"]
    if len(options) == 1 and options[0].place == owner:
        yield from (options[0].changes(value) for value in inside(options[0].annotation))
        return
    values_of_options = [list(inside(option.annotation)) for option in options]
    for values in zip_longest(*values_of_options, fillvalue=...):
        changes: dict[str, Any] = {}
        for option, value in zip(options, values, strict=True):
            if value is not ...:
                _merge(changes, option.changes(value))
        if changes:
            yield changes


def _merge(into: dict[str, Any], changes: dict[str, Any]) -> None:
    """Merge nested tables; the one part in a list is merged with the part in the other list."""
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        elif isinstance(value, list) and isinstance(into.get(key), list):
            _merge(into[key][0], value[0])
        else:
            into[key] = value
