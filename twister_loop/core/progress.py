"""Progress bars with the remaining time: the only door to tqdm."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def show_progress(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield the items and show a progress bar on standard error.

    Args:
        items: anything that is iterated once.
        description: the label of the bar.
        total: the number of items, for the remaining time; None if it is not known.
    """
    is_terminal = sys.stderr.isatty()
    yield from tqdm(
        items,
        desc=f"  {description}",
        total=total,
        delay=2,  # seconds; what takes less needs no bar
        leave=False,
        dynamic_ncols=True,
        # Engines answer in bursts, a window at a time: the average over all items predicts the
        # end better than the last burst does.
        smoothing=0,
        # In a log every refresh is a line of its own.
        mininterval=0.2 if is_terminal else 30,
        maxinterval=3 if is_terminal else 60,
    )
