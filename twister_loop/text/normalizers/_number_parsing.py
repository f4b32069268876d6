"""Numbers as they are written with separators: 1,000.5 and 1.000,5 and 1 000,5 and 1,00,000."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ._spelling import MAX_DIGITS


@dataclass(frozen=True)
class Number:
    """Digits of a written number."""

    whole: str
    decimals: str = ""

    @property
    def quantity(self) -> str:
        """Number with a point, for the choice of plural forms; a long one is cut."""
        whole = self.whole[-MAX_DIGITS:]
        return f"{whole}.{self.decimals[:3]}" if self.decimals else whole


@lru_cache(maxsize=1 << 14)
def split_numbers(written: str, decimal: str, group: str, is_amount: bool) -> tuple[Number, ...]:
    """Return the numbers that are written with separators or spaces between them.

    Digits that make no number together are read by themselves: dates, addresses, versions.

    >>> split_numbers("1 000,5", ",", " ", False)
    (Number(whole='1000', decimals='5'),)
    >>> [number.whole for number in split_numbers("192.168.0.1", ".", ",", False)]
    ['192', '168', '0', '1']

    Args:
        written: Digits with any of `.,'` and spaces between them.
        decimal: Decimal mark of the language.
        group: Its mark between groups of digits.
        is_amount: Whether a currency or percent stands beside it, so that it is no time of day.
    """
    if number := parse_number(written, decimal, group, is_amount):
        return (number,)
    numbers: list[Number] = []
    for part in written.split(" "):
        number = parse_number(part, decimal, group, is_amount)
        numbers += [number] if number else [Number(digits) for digits in re.split("[.,']", part)]
    return tuple(numbers)


def parse_number(written: str, decimal: str, group: str, is_amount: bool = False) -> Number | None:
    """Return the number that is written with separators; None for anything else.

    >>> parse_number("1.000,5", ",", "."), parse_number("3.5.2", ".", ",")
    (Number(whole='1000', decimals='5'), None)
    """
    marks = [char for char in written if not char.isdecimal()]
    if not marks:
        return Number(written)
    last = marks[-1]
    if len({*marks}) == 1 and _is_grouped(written, last, group) and last != decimal:
        return Number(written.replace(last, ""))
    if len({*marks}) == 1 and len(marks) > 1 and _is_grouped(written, last, group):
        return Number(written.replace(last, ""))
    if last not in ".," or marks.count(last) > 1 or len({*marks}) > 2:
        return None
    whole, _, decimals = written.rpartition(last)
    if len(marks) > 1:
        is_grouped = _is_grouped(whole, marks[0], group)
        return Number(re.sub(r"\D", "", whole), decimals) if is_grouped else None
    # "12.30" is a time of day where decimals have a comma.
    is_clock = last == "." != decimal and re.fullmatch(r"([01]?\d|2[0-3])\.[0-5]\d", written)
    return None if is_clock and not is_amount else Number(whole, decimals)


def _is_grouped(written: str, mark: str, group: str) -> bool:
    """Return whether digits are in groups of three, or by lakh and crore as in 1,00,000."""
    head, *groups = written.split(mark)
    if not 1 <= len(head) <= 3 or head.startswith("0"):
        return False
    if all(len(digits) == 3 for digits in groups):
        # Numbers stand side by side as well; and 777 123 456 is a telephone number.
        may_be_several = group != " " or (len(head) == 3 and len(groups) == 2)
        return mark != " " or groups[-1] == "000" or not may_be_several
    is_by_lakh = len(head) <= 2 and all(len(digits) == 2 for digits in groups[:-1])
    return mark == "," and len(groups) > 1 and is_by_lakh and len(groups[-1]) == 3
