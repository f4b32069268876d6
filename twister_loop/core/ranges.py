"""Ranges of numbers that options may have, as pydantic checks them.

A range stands in the declaration of an option. From there come the check of a plan, the error
message and the reference of all options:

>>> from dataclasses import dataclass
>>> from typing import Annotated
>>> from twister_loop.core import schema
>>> @dataclass(frozen=True)
... class BeamOptions:
...     beam: Annotated[int, Range(1, 100)] = 1
>>> schema.parse_data(BeamOptions, {"beam": 5})
BeamOptions(beam=5)
>>> schema.parse_data(BeamOptions, {"beam": 0})
Traceback (most recent call last):
twister_loop.core.schema.RecordError: beam: must be a whole number from 1 to 100, not 0
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt, MinLen, Predicate
from pydantic import Strict

__all__ = [
    "MAX_COUNT",
    "Count",
    "CountOrZero",
    "Fraction",
    "MinLen",
    "NumberFromZero",
    "PositiveNumber",
    "Range",
    "Span",
    "TrueOrFalse",
]

MAX_COUNT = 1_000_000_000
"""Largest whole number of an option without a limit of its own: nothing in a plan counts further,
and a larger one is a slip of the keyboard."""


class Range(GroupedMetadata):
    """Bounds of a number; pydantic checks them, and `str` says them in words.

    Args:
        low: Smallest value allowed; None for no bound.
        high: Largest value allowed; None for no bound.
        above: Value that must be exceeded, instead of `low`.
        below: Value that must not be reached, instead of `high`.

    >>> str(Range(0, 1)), str(Range(above=0)), str(Range(0.5, below=1))
    ('from 0 to 1', 'above 0', 'from 0.5 to below 1')
    """

    def __init__(
        self,
        low: float | None = None,
        high: float | None = None,
        *,
        above: float | None = None,
        below: float | None = None,
    ) -> None:
        self.low, self.high, self.above, self.below = low, high, above, below

    def __iter__(self) -> Iterator[object]:
        """Yield the bounds one by one, as pydantic reads them."""
        # Without it pydantic takes true for 1 and the text "3" for 3.
        yield Strict()
        if self.low is not None:
            yield Ge(self.low)
        if self.above is not None:
            yield Gt(self.above)
        if self.high is not None:
            yield Le(self.high)
        if self.below is not None:
            yield Lt(self.below)

    def __str__(self) -> str:
        upper = ""
        if self.high is not None:
            upper = f"{self.high:.15g}"
        elif self.below is not None:
            upper = f"below {self.below:.15g}"
        if self.low is not None:
            return f"from {self.low:.15g} to {upper}" if upper else f"from {self.low:.15g} up"
        if self.above is not None:
            at_most = f"at most {upper}" if self.high is not None else upper
            return f"above {self.above:.15g} and {at_most}" if upper else f"above {self.above:.15g}"
        return f"at most {upper}" if self.high is not None else upper

    def __contains__(self, number: float) -> bool:
        """Return whether a number lies within the bounds; NaN lies in none."""
        # Written so that NaN, which compares as false with everything, is outside.
        return (
            (self.low is None or number >= self.low)
            and (self.above is None or number > self.above)
            and (self.high is None or number <= self.high)
            and (self.below is None or number < self.below)
            and number == number
        )


class Span(GroupedMetadata):
    """Bounds of two numbers between which one is drawn, the smaller one first.

    The arguments are those of `Range`.

    >>> str(Span(0, 30))
    'two numbers from 0 to 30, the smaller one first'
    """

    def __init__(
        self,
        low: float | None = None,
        high: float | None = None,
        *,
        above: float | None = None,
    ) -> None:
        self.bounds = Range(low, high, above=above)

    def __iter__(self) -> Iterator[object]:
        """Yield the check, as pydantic reads it."""
        yield Predicate(self.allows)

    def __str__(self) -> str:
        return f"two numbers {self.bounds}, the smaller one first"

    def allows(self, pair: tuple[float, float]) -> bool:
        """Return whether both numbers lie within the bounds, the smaller one first."""
        return all(number in self.bounds for number in pair) and pair[0] <= pair[1]


TrueOrFalse = Annotated[bool, Strict()]
"""Truth value beside a number: 0 and 1 are numbers there."""
Count = Annotated[int, Range(1, MAX_COUNT)]
"""Whole number of things of which there is at least one."""
CountOrZero = Annotated[int, Range(0, MAX_COUNT)]
"""Whole number of things of which there may be none."""
Fraction = Annotated[float, Range(0, 1)]
"""Part of a whole."""
PositiveNumber = Annotated[float, Range(above=0)]
"""Finite number above 0."""
NumberFromZero = Annotated[float, Range(0)]
"""Finite number that is 0 or more."""
