"""Dynamic time warping of tokens and positions of the audio, vectorized over anti-diagonals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DIAGONAL, NEXT_TOKEN, NEXT_POSITION = 0, 1, 2


def warp(costs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Find the cheapest monotonic path, and return where each token begins.

    The path, ties included, is that of `_dynamic_time_warping` in transformers and of OpenAI's
    `timing.py`, which loop over single cells.

    Args:
        costs: cost of each token at each position, (tokens, positions).

    Returns:
        First position of every token, (tokens,).

    >>> warp(np.array([[0.0, 0.0, 9.0, 9.0], [9.0, 9.0, 0.0, 0.0]]))
    array([0, 2])
    """
    tokens, positions = costs.shape
    mirrored = np.fliplr(costs)  # so that its diagonals are the anti-diagonals, without a copy
    # Cells of an anti-diagonal depend on the two before alone. They are indexed by token, and all
    # begin with a border of infinite costs. Sums are float32, as in the sources, for equal ties.
    steps = np.empty((tokens + positions + 1, tokens + 1), np.int8)
    before, last, totals = np.full((3, tokens + 1), np.inf, np.float32)
    before[0] = 0.0
    for diagonal in range(2, tokens + positions + 1):
        first, after = max(1, diagonal - positions), min(tokens, diagonal - 1) + 1
        from_diagonal, from_token = before[first - 1 : after - 1], last[first - 1 : after - 1]
        from_position = last[first:after]
        # Only a strictly smaller cost is preferred to that of the same token.
        is_token = from_token < np.minimum(from_diagonal, from_position)
        is_diagonal = from_diagonal < np.minimum(from_token, from_position)
        cheapest = from_position.copy()
        np.copyto(cheapest, from_token, where=is_token)
        np.copyto(cheapest, from_diagonal, where=is_diagonal)
        np.subtract(NEXT_POSITION, is_token, out=steps[diagonal, first:after], casting="unsafe")
        steps[diagonal, first:after][is_diagonal] = DIAGONAL
        np.add(
            mirrored.diagonal(positions + 1 - diagonal),
            cheapest,
            out=totals[first:after],
            casting="same_kind",
        )
        totals[first - 1] = np.inf
        before, last, totals = last, totals, before
    return _trace_starts(steps, tokens, positions)


def _trace_starts(steps: NDArray[np.int8], tokens: int, positions: int) -> NDArray[np.int64]:
    """Follow the path from its end, and return where each token begins.

    Args:
        steps: step that leads to each cell, (tokens + positions + 1, tokens + 1), by
            anti-diagonal and by token.
        tokens: number of tokens.
        positions: number of positions.
    """
    starts = np.zeros(tokens, np.int64)
    token, position = tokens, positions
    while token > 0 and position > 0:
        starts[token - 1] = position - 1
        step = steps[token + position, token]
        token -= step != NEXT_POSITION
        position -= step != NEXT_TOKEN
    # Tokens that are left over begin before the audio, at -1, as in the sources.
    starts[:token] = -1
    return starts
