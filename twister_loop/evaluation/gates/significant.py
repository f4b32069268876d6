"""Gate that rejects a candidate whose gain may be due to chance.

The candidate is compared with the champion, at the level of the plan, and with the untouched
model, at the level of this look. The second keeps the promise of the level over the life of a run:
ten candidates that are no better would otherwise give a champion that is no better in every third
run, since each new one inherits the luck of the champion before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from ...core.ranges import Range
from ...core.types import UNITS, ErrorCount, Measure, Objection, Share
from ..evidence import IN_DECODING, Decoding, Evidence, PooledCounts, SetSize
from ..looks import level_at_look
from ..measures import find_common_measure
from ..paired_test import measure_change
from ..power import (
    ASSUMED_ERROR_RATE,
    POWER,
    SHOWN_GAINS,
    Sight,
    round_up,
    tokens_to_decide,
)
from ._base import Gate

FEW_SPEAKERS = 10
"""Number of speakers below which their number, and not that of the words, limits what is seen."""
FORETOLD_LOOKS = (1, 10)
"""Looks for which the visible gain is told before a run."""


@dataclass(frozen=True)
class Significant(Gate):
    """Gate against candidates whose gain on the development sets is not significant."""

    level: Annotated[Share, Range(0.5, below=1)] = 0.95
    """Confidence that all development sets together got better: over the champion in each round,
    and over the untouched model in all rounds of a run together (look k at these sets is tested
    with 0.61 / k**2 of the error)."""
    measure: Measure | None = None
    """Error rate to compare: `words`, `characters` or `mixed`; null takes that of the
    development sets, or `mixed` if they differ."""
    decoding: Decoding = "clip"
    """Scores to read: `clip` (each clip in its own context) or `standard` (30 s windows with
    timestamps, as other tools decode)."""

    def describe_sight(self, sizes: Mapping[str, SetSize]) -> Iterator[str]:
        """Yield the gain that is found in four of five cases, and the speech that others need."""
        sets = [size for size in sizes.values() if size.kind == "development"]
        if not sets:
            return
        measure = self.measure or find_common_measure(size.measure for size in sets)
        sight = _pool_sight(sets, measure, self.decoding)
        unit = UNITS[measure]
        measured = any(size.error_rates for size in sets)
        errors = round(sight.tokens * sight.error_rate)
        yield (
            f"development sets{IN_DECODING[self.decoding]}: {sight.tokens} {unit} with about "
            f"{errors} errors of the untouched model"
            + ("" if measured else f" if its error rate is {ASSUMED_ERROR_RATE:.0%}")
            + f": {'; '.join(self._describe_looks(sight))}"
        )
        alpha = 1 - level_at_look(self.level, 1)
        first, *others = (
            f"{gain:.0%} of the errors{{}}{sight.describe_tokens(gain, alpha)}"
            for gain in SHOWN_GAINS
        )
        yield (
            f"to find a gain of {first.format(' in round 1 takes ')} of held-out speech; "
            + "; ".join(other.format(": ") for other in others)
        )
        for name, size in sizes.items():
            if size.kind == "development" and 0 < size.speakers < FEW_SPEAKERS:
                yield _describe_few_speakers(name, size.speakers)

    def _describe_looks(self, sight: Sight) -> Iterator[str]:
        for look in FORETOLD_LOOKS:
            low, high = sight.find_gain(1 - level_at_look(self.level, look))
            visible = (
                f"{low:.0%} to {high:.0%} of them"
                if high < 1
                else f"{low:.0%} of them or more"
                if low < 1
                else "any size cannot be seen, and none"
            )
            yield f"in round {look} a true gain of {visible} is found in {POWER:.0%} of cases"

    def objection(self, evidence: Evidence) -> Objection | None:
        """Return where the gain over the untouched model or the champion may be chance."""
        evidence = evidence.decoded(self.decoding)
        pooled = evidence.pool_development_counts(self.measure)
        look = evidence.look(evidence.set_names("development"))
        objections = [
            self._test(
                pooled, pooled.untouched, "untouched model", level_at_look(self.level, look), look
            )
        ]
        # In the first round both are one model, and its test is the stricter of the two.
        if list(pooled.champion) != list(pooled.untouched):
            objections.append(self._test(pooled, pooled.champion, "champion", self.level))
        failed = [objection for objection in objections if objection]
        if not failed:
            return None
        # A loss decides: more speech might show a gain that is too small to tell, but no loss.
        return Objection(
            self.name,
            "; ".join(objection.reason for objection in failed),
            all(objection.undecided for objection in failed),
        )

    def _test(
        self,
        pooled: PooledCounts,
        baseline: Sequence[ErrorCount],
        baseline_name: str,
        level: Share,
        look: int | None = None,
    ) -> Objection | None:
        change = measure_change(pooled.candidate, baseline, pooled.groups, pooled.resampling_unit)
        alpha, unit = 1 - level, UNITS[pooled.measure]
        if change.change < 0 and change.p_value() <= alpha:
            return None
        tokens, spread = change.tokens, change.widest(alpha)
        place = (
            f"against the {baseline_name}: error rate {100 * change.change:+.2f} points on "
            f"{tokens} {unit} of the development sets{IN_DECODING[self.decoding]}"
        )
        if change.change >= 0:
            return Objection(self.name, f"no gain {place}")
        needs = [
            tokens_to_decide(tokens, spread.standard_error, gain * change.baseline_rate, alpha)
            for gain in SHOWN_GAINS[1:]
        ]
        more, less = (round_up(need) for need in needs)
        return Objection(
            self.name,
            f"the gain may be due to chance {place}, upper bound "
            f"{100 * change.upper(alpha):+.2f} at {level:.4g} confidence"
            f"{f' (look {look} at these sets)' if look else ''}, from {spread.units} "
            f"{spread.unit}; {less} or {more} {unit} of held-out speech in all would show a true "
            f"gain of {SHOWN_GAINS[2]:.0%} or {SHOWN_GAINS[1]:.0%} of the errors with {POWER:.0%} "
            "power",
            undecided=True,
        )


def _describe_few_speakers(name: str, speakers: int) -> str:
    if speakers == 1:
        return f"{name}: one speaker, so a gain is shown for this voice and for no other"
    return (
        f"{name}: {speakers} speakers; a gain must be clear beside the differences between so few, "
        "and more speakers show more than more words of the same ones"
    )


def _pool_sight(sets: Sequence[SetSize], measure: Measure, decoding: Decoding) -> Sight:
    """Return the sight of several sets together."""
    tokens = [size.tokens[decoding][measure] for size in sets]
    rates = [size.error_rates.get(decoding, {}).get(measure, ASSUMED_ERROR_RATE) for size in sets]
    whole = [size.tokens["clip"][measure] for size in sets]
    errors = sum(rate * count for rate, count in zip(rates, tokens, strict=True))
    return Sight(
        tokens=sum(tokens),
        measure=measure,
        error_rate=errors / max(1, sum(tokens)),
        # Of the whole sets: standard decoding may be of a part of each.
        seconds=sum(size.seconds for size in sets) * sum(tokens) / max(1, sum(whole)),
        units=sum(size.units for size in sets),
    )
