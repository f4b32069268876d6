"""Progress with the time left, on anything that takes longer than two seconds: the door to tqdm."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Pass the items on, and show on a terminal how far it is; silent for two seconds."""
    # Engines answer in bursts, a window at a time: the average tells more than the last burst.
    yield from tqdm(
        items,
        desc=f"  {what}",
        total=total,
        delay=2,
        leave=False,
        dynamic_ncols=True,
        smoothing=0,
        mininterval=0.2 if sys.stderr.isatty() else 30,  # a log wants fewer lines
        maxinterval=3 if sys.stderr.isatty() else 60,
    )
