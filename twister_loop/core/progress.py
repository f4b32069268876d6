"""Progress bars with the remaining time: the only door to tqdm."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from tqdm import tqdm

from .types import Seconds

T = TypeVar("T")
_audio_listener: ContextVar[Callable[[Seconds], object] | None] = ContextVar(
    "audio_listener", default=None
)
_answer_listener: ContextVar[Callable[[int], object] | None] = ContextVar(
    "answer_listener", default=None
)


def show_progress(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield the items and show a progress bar on standard error.

    Engines answer a window of hundreds of utterances at a time, which takes minutes. Within one,
    `note_answered` moves the bar of what they yield.

    Args:
        items: anything that is iterated once.
        description: the label of the bar.
        total: the number of items, for the remaining time; None if it is not known.
    """
    is_terminal = sys.stderr.isatty()
    yielded = noted = 0
    with tqdm(
        desc=f"  {description}",
        total=total,
        delay=2,  # seconds; what takes less needs no bar
        leave=False,
        dynamic_ncols=True,
        # Engines answer in bursts, a batch at a time: the average over all items predicts the end
        # better than the last burst does.
        smoothing=0,
        # In a log every refresh is a line of its own.
        mininterval=0.2 if is_terminal else 30,
        maxinterval=3 if is_terminal else 60,
    ) as bar:

        def note(count: int) -> None:
            nonlocal noted
            noted += count
            move_to(yielded + noted)

        def move_to(count: int) -> None:
            # An engine that decodes an utterance again may have noted it twice.
            count = count if total is None else min(count, total)
            if count > bar.n:
                bar.update(count - bar.n)

        iterator = iter(items)
        while True:
            # Only while the items are computed: the caller may show a bar of its own.
            token = _answer_listener.set(note)
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                _answer_listener.reset(token)
            yielded, noted = yielded + 1, 0
            move_to(yielded)
            yield item


def note_answered(count: int = 1) -> None:
    """Move the bar of `show_progress` on, if there is one, before these answers are yielded."""
    if listener := _answer_listener.get():
        listener(count)


@contextmanager
def show_audio_progress(description: str, total: Seconds) -> Iterator[None]:
    """Show a progress bar in seconds of audio, which `note_processed` moves on.

    Within one recording of hours, a bar of recordings would stand still.
    """
    is_terminal = sys.stderr.isatty()
    with tqdm(
        total=round(total, 1),
        desc=f"  {description}",
        unit="s",
        delay=2,
        leave=False,
        dynamic_ncols=True,
        smoothing=0,
        mininterval=0.2 if is_terminal else 30,
        bar_format="{l_bar}{bar}| {n:.0f}/{total:.0f} s of audio [{elapsed}<{remaining}]",
    ) as bar:
        token = _audio_listener.set(bar.update)
        try:
            yield
        finally:
            _audio_listener.reset(token)


def note_processed(seconds: Seconds) -> None:
    """Move the bar of `show_audio_progress` on, if there is one."""
    if listener := _audio_listener.get():
        listener(seconds)
