"""Limits of a mixture, and the largest mixture that keeps all of them: small linear programs.

A share is a part of a total that it changes itself, and a cap of one source may stand in the way of
the share of another. So all limits are solved together, and none is applied after another.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..core.types import Seconds, Share

Array = npt.NDArray[np.float64]

LEAST_SHARE: Share = 1e-6
"""Share above which a source can be in a mixture at all. Solutions are exact to about 1e-7."""
EXACT = 1e-6
"""Relative difference that is rounding."""
SLACK = 1e-6
"""Relative room that is left around an earlier solution, which is exact to about 1e-7."""
SMALLEST_SCALE: Seconds = 1e-3
"""Size of a mixture below which there is none."""
LEAST_DUAL = 1e-6
"""Dual value, as a part of the largest, above which a source cannot be raised."""


class Limit(NamedTuple):
    """Limit of a plan for the sources that match one name."""

    option: str
    """Key of the plan, such as `shares.pseudo`."""
    members: tuple[bool, ...]
    """True for each source that it limits, in the order of the sources."""
    share: Share | None = None
    """Share of the total; None if the limit is absolute."""
    seconds: Seconds = 0.0
    """Absolute limit, if there is no share."""
    is_exact: bool = False
    """True if the share has to be reached, and not only kept below."""

    def __str__(self) -> str:
        """Return the key with its amount.

        >>> str(Limit("hours.talks", (True,), seconds=3600.0))
        'hours.talks (1 h)'
        """
        amount = f"{self.seconds / 3600:g} h" if self.share is None else f"{100 * self.share:g} %"
        return f"{self.option} ({amount})"

    def holds(self, seconds: Array) -> bool:
        """Return True if a mixture of so many seconds of each source (sources,) keeps the limit."""
        return self._excess(seconds) <= 0

    def is_reached(self, seconds: Array) -> bool:
        """Return True if the mixture could have no more of what is limited."""
        return self._excess(seconds) >= -EXACT * float(seconds.sum())

    def _excess(self, seconds: Array) -> Seconds:
        most = self.seconds if self.share is None else self.share * seconds.sum()
        return float(seconds[list(self.members)].sum() - most)


def find_conflict(limits: Sequence[Limit], sources: int) -> list[Limit]:
    """Return limits that cannot hold together while every source is in the mixture.

    Only shares can contradict each other: an absolute limit is kept by any mixture that is small
    enough. None of the returned limits can be left out; without a conflict there are none.

    >>> half = Limit("at_most.pseudo", (True, False), 0.5)
    >>> third = Limit("at_most.synthetic", (False, True), 0.3)
    >>> [str(limit) for limit in find_conflict([half, third], 2)]
    ['at_most.pseudo (50 %)', 'at_most.synthetic (30 %)']
    >>> find_conflict([half], 2)
    []
    """
    shares = [limit for limit in limits if limit.share is not None]
    if _has_mixture(shares, sources):
        return []
    # What is left when no limit can be spared is a smallest contradiction, and all of it is told:
    # each of its limits may be the one that is wrong.
    for limit in list(shares):
        others = [other for other in shares if other is not limit]
        if not _has_mixture(others, sources):
            shares = others
    return shares


def fill(asked: Array, most: Array, limits: Sequence[Limit], repeatable: Collection[int]) -> Array:
    """Return the largest mixture that keeps all limits.

    Every source gets the same part of what is asked of it, as far as the limits allow; what some
    cannot take goes to the rest (max-min fairness). Then sources that a share names become larger
    than asked, as far as the shares need; the total does not grow beyond that. If shares name all
    sources, the total is what is asked of all.

    Args:
        asked: Seconds of each source, (sources,), above 0.
        most: Largest seconds of each source, (sources,); infinity where speech may be repeated.
        limits: Limits without a conflict, see `find_conflict`.
        repeatable: Indices of the sources that a share names.

    Returns:
        Seconds of each source, (sources,).
    """
    scale = float(asked.sum())
    # The usual case, without loading the solver.
    if not repeatable and all(limit.holds(asked) for limit in limits):
        return asked
    seconds = _Program(asked, most, limits, scale).solve(repeatable)
    # The tolerance of the solver is relative to the scale, and limits can make a mixture thousands
    # of times smaller than what is asked.
    while seconds.sum() < scale / 100 and scale > SMALLEST_SCALE:
        scale /= 100
        seconds = _Program(asked, most, limits, scale).solve(repeatable)
    # Without the rounding errors of the solver, which would break up a whole copy of a source.
    seconds = np.clip(seconds, 0.0, most)
    return np.where(np.isclose(seconds, asked, rtol=3 * SLACK, atol=0), asked, seconds)


class _Program:
    """Linear program over the seconds of each source, divided by a scale."""

    def __init__(self, asked: Array, most: Array, limits: Sequence[Limit], scale: Seconds) -> None:
        self.asked, self.scale = asked / scale, scale
        self.lower, self.upper = np.zeros(len(asked)), most / scale
        self.solution = self.lower
        self.equal = [_row(limit) for limit in limits if limit.is_exact]
        # Limits in seconds are divided by their own size, since the solver's tolerance is absolute.
        self.below = [
            (np.array(limit.members) * scale / limit.seconds, 1.0)
            if limit.share is None
            else (_row(limit), 0.0)
            for limit in limits
            if not limit.is_exact
        ]

    def solve(self, repeatable: Collection[int]) -> Array:
        """Return the seconds of each source, (sources,)."""
        ones = np.ones(len(self.asked))
        if len(repeatable) == len(ones):
            # Shares of everything hold at any total.
            self.below.append((ones / self.asked.sum(), 1.0))
        # What is raised later may be infeasible by rounding: every solution keeps all limits.
        with suppress(ValueError):
            # First all of them, or what a share names would be squeezed out by the rest.
            self._raise_evenly(list(range(len(ones))), ceiling=1.0)
            if repeatable:
                # Shares of overlapping names may hold at larger totals too.
                least, _ = self._run(ones, self.below, self.equal)
                most = max(least.sum(), self.asked.sum())
                self.below.append((ones / most, 1.0 + SLACK))
                self._raise_evenly(sorted(repeatable), ceiling=None)
            # What rounding has left: lower bounds are a little below what a source can have.
            self.solution, _ = self._run(-ones, self.below, self.equal)
        return self.solution * self.scale

    def _raise_evenly(self, sources: list[int], ceiling: float | None) -> None:
        """Raise the parts that some sources get of what is asked; a blocked one stays behind.

        What they get is a lower bound for what follows.
        """
        while sources:
            level, duals = self._maximize_least(sources, ceiling)
            is_full = ceiling is not None and level >= ceiling * (1 - EXACT)
            # A dual value of 0 may belong to a blocked source too, which the next program finds.
            blocked = {
                source
                for source, dual in zip(sources, duals, strict=True)
                if is_full or dual >= duals.max() * LEAST_DUAL
            }
            for source in blocked:
                most = min(level * self.asked[source], self.upper[source])
                self.lower[source] = max(most * (1 - SLACK) - SLACK / 100, 0.0)
            sources = [source for source in sources if source not in blocked]

    def _maximize_least(self, sources: list[int], ceiling: float | None) -> tuple[float, Array]:
        """Make the smallest part that a source gets as large as can be; keep the solution.

        Returns:
            The smallest part, and the dual value of each source, (sources,): above 0 if it has the
            smallest part in every solution.
        """
        # In units that make the largest coefficient 1.
        unit = self.asked[sources].max()
        rows = [(np.append(row, 0.0), most) for row, most in self.below]
        for source in sources:
            row = np.zeros(len(self.asked) + 1)
            row[source], row[-1] = -1.0, self.asked[source] / unit
            rows.append((row, 0.0))
        goal = np.append(np.zeros(len(self.asked)), -1.0)
        bounds = (0.0, None if ceiling is None else ceiling * unit)
        equal = [np.append(row, 0.0) for row in self.equal]
        solution, duals = self._run(goal, rows, equal, bounds)
        held_down = duals[len(self.below) :] * self.asked[sources]
        self.solution = solution[:-1]
        return float(solution[-1] / unit), held_down

    def _run(
        self,
        goal: Array,
        below: Sequence[tuple[Array, float]],
        equal: Sequence[Array],
        *further_bounds: tuple[float, float | None],
    ) -> tuple[Array, Array]:
        bounds = [*zip(self.lower, self.upper, strict=True), *further_bounds]
        return _minimize(goal, below, [(row, 0.0) for row in equal], bounds)


def _row(limit: Limit) -> Array:
    """Return what each source adds to a name beyond its share of the total, (sources,)."""
    return np.array(limit.members) - (limit.share or 0.0)


def _has_mixture(limits: Sequence[Limit], sources: int) -> bool:
    """Return True if some mixture keeps these shares and has every source in it."""
    ones = np.ones(sources)
    below = [(np.append(_row(limit), 0.0), 0.0) for limit in limits if not limit.is_exact]
    # No source is smaller than the last variable, which is made as large as can be.
    below += [(np.append(-row, 1.0), 0.0) for row in np.eye(sources)]
    equal = [(np.append(_row(limit), 0.0), 0.0) for limit in limits if limit.is_exact]
    goal = np.append(np.zeros(sources), -1.0)
    try:
        solution, _ = _minimize(
            goal, below, [*equal, (np.append(ones, 0.0), 1.0)], [(0.0, 1.0)] * (sources + 1)
        )
    except ValueError:
        return False
    return bool(solution[-1] > LEAST_SHARE)


def _minimize(
    goal: Array,
    below: Sequence[tuple[Array, float]],
    equal: Sequence[tuple[Array, float]],
    bounds: Sequence[tuple[float | None, float | None]],
) -> tuple[Array, Array]:
    """Return the solution of a linear program, and the dual values of its inequalities.

    Raises:
        ValueError: There is none.
    """
    # Imported here, because it takes as long as all of the rest of the package.
    from scipy.optimize import linprog

    def rows(constraints: Sequence[tuple[Array, float]]) -> tuple[Array | None, Array | None]:
        if not constraints:
            return None, None
        return np.array([row for row, _ in constraints]), np.array(
            [most for _, most in constraints]
        )

    result = linprog(goal, *rows(below), *rows(equal), bounds=bounds, method="highs")
    if result.status != 0:
        raise ValueError(result.message)
    return result.x, -result.ineqlin.marginals
