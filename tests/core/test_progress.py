"""Progress bars: they move within a window of an engine, and never past the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from twister_loop.core import progress
from twister_loop.core.progress import note_answered, show_progress


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """Positions that each bar took, by its label."""
    positions: dict[str, list[int]] = {}

    class Bar(progress.tqdm):  # type: ignore[type-arg]
        def update(self, n: float | None = 1) -> bool | None:
            moved = super().update(n)
            positions.setdefault(self.desc.strip(), []).append(int(self.n))
            return moved

    monkeypatch.setattr(progress, "tqdm", Bar)
    return positions


def answer(windows: list[int], noted: list[int]) -> Iterator[int]:
    """Yield as many answers as the windows have, each window after all of its notes."""
    for size, count in zip(windows, noted, strict=True):
        for _ in range(count):
            note_answered()
        yield from range(size)


def test_a_bar_moves_with_each_batch_of_a_window_and_ends_at_its_total(
    bars: dict[str, list[int]],
) -> None:
    assert len(list(show_progress(answer([3, 2], [3, 2]), "labels", 5))) == 5
    assert bars["labels"] == [1, 2, 3, 4, 5]
    list(show_progress(answer([3, 2], [0, 0]), "unnoted", 5))
    assert bars["unnoted"] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("total", [5, None])
def test_what_is_decoded_twice_does_not_move_a_bar_past_the_end(
    bars: dict[str, list[int]], total: int | None
) -> None:
    assert len(list(show_progress(answer([3, 2], [4, 2]), "labels", total))) == 5
    assert bars["labels"][:4] == [1, 2, 3, 4]
    assert max(bars["labels"]) == 5
    assert bars["labels"] == sorted(set(bars["labels"]))


def test_only_the_bar_of_the_engine_moves(bars: dict[str, list[int]]) -> None:
    def rounds() -> Iterator[Any]:
        for number in range(2):
            yield list(show_progress(answer([2], [2]), f"inner {number}", 2))

    for _ in show_progress(rounds(), "outer", 2):
        note_answered(7)  # by a caller that has no bar
    assert bars == {"inner 0": [1, 2], "inner 1": [1, 2], "outer": [1, 2]}
