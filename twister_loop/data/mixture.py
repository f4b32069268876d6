"""Mixture: how many hours of which speech are trained on. Pure arithmetic; no speech is read here.

A group is the speech of one origin, language and corpus. Its target is the time that is available
times the weights of the three. A temperature then evens out languages, origins or corpora, groups
are scaled to shares, and the time above a limit of hours or a share is left out.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple

from ..core import schema
from ..core.ranges import Fraction, NumberFromZero, Range
from ..core.types import Language, Seconds, Share

log = logging.getLogger(__name__)

REPLAY = "replay"
"""Origin of replayed speech, in this arithmetic only."""
SPEECHLESS = "speechless"
"""Origin of clips without speech, in this arithmetic only."""
MAX_ITERATIONS = 100
"""Times that shares are computed anew: they are shares of a total that changes with them, so they
converge step by step."""
TOLERANCE: Seconds = 1e-3
"""Largest change of any group in the last iteration."""


class MixtureGroup(NamedTuple):
    """Speech that is mixed as one: of the same origin, language and corpus."""

    origin: str
    lang: Language | None
    corpus: str | None

    def matches(self, name: str) -> bool:
        """Return True if `name` is the origin, the language or the corpus of the group."""
        return name in (self.origin, self.lang, self.corpus)


GroupDurations = dict[MixtureGroup, Seconds]
"""Seconds of speech in each group."""
Weight = Annotated[float, Range(0, 100)]
"""Factor of the hours that are available. A larger one than this is a slip of the keyboard."""
Temperature = Annotated[float, Range(above=0, high=1000)]
Level = Literal["origin", "language", "corpus"]
FIELD_OF_LEVEL: dict[Level, str] = {"origin": "origin", "language": "lang", "corpus": "corpus"}


@dataclass(frozen=True)
class MixOptions:
    """Options of `mix:`: weights, temperatures, shares and limits of the speech to train on.

    Weights multiply the available hours: 0.5 takes half of them, 2 takes all of them twice.
    """

    human: Weight = 1.0
    """Weight of human speech, from 0."""
    pseudo: Weight = 1.0
    """Weight of pseudo-labeled speech, from 0."""
    synthetic: Weight = 1.0
    """Weight of synthetic speech, from 0."""
    replay: Fraction = 0.1
    """Largest share of replayed speech, from 0 to 1. No replayed speech is taken twice."""
    speechless: Fraction = 0.0
    """Largest share of clips without speech, from 0 to 1, whose empty text is trained on so that
    the recognizer stays silent there: those of the pool in which neither the champion nor voice
    activity detection finds any, and those declared by their corpus. None is taken twice."""
    languages: Mapping[Language, Weight] = field(default_factory=dict)
    """Weights of languages, from 0; 1 for those not listed."""
    corpora: Mapping[str, Weight] = field(default_factory=dict)
    """Weights of corpora, from 0, by the name of their folder, file or data set; 1 for those not
    listed."""
    temperature: Mapping[Level, Temperature] = field(default_factory=dict)
    """Temperature for languages, origins or corpora: their shares of the same total become
    proportional to hours to the power of 1 / temperature. Above 1 gives small ones more."""
    shares: Mapping[str, Annotated[Share, Range(0, below=1)]] = field(default_factory=dict)
    """Exact share of all hours, from 0 to 1, for an origin, a language or a corpus. Its speech is
    taken as many times as that needs."""
    at_most: Mapping[str, Fraction] = field(default_factory=dict)
    """Largest share of all hours, from 0 to 1, for an origin, a language or a corpus; more is left
    out."""
    hours: Mapping[str, NumberFromZero] = field(default_factory=dict)
    """Most hours of an origin, a language or a corpus; more is left out."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS

    def __post_init__(self) -> None:
        # A share of 1 is reached by no factor, however large.
        if sum(self.shares.values()) >= 1:
            raise ValueError("shares: must leave something for the rest")
        for name, share in self.shares.items():
            if share > self.at_most.get(name, 1.0):
                raise ValueError(
                    f"shares, at_most: {name} cannot have a share of {share:g} and be at most "
                    f"{self.at_most[name]:g}"
                )

    def keeps_any(self, origins: Sequence[str]) -> bool:
        """Return True if any speech of these origins can be left to train on."""
        return any(
            getattr(self, origin) and self.hours.get(origin, 1.0) and self.at_most.get(origin, 1.0)
            for origin in origins
        )

    def target_durations(self, available: GroupDurations) -> GroupDurations:
        """Return how much of each group to train on.

        Names in the options that match no group are logged as warnings.

        Args:
            available: Seconds of speech in each group.

        Returns:
            Seconds for each group that has any speech. More than available means that speech is
            taken more than once.
        """
        durations = {
            group: seconds * self._weight(group) for group, seconds in available.items() if seconds
        }
        # Before hours and shares, which are absolute and must hold in the end.
        for level, temperature in self.temperature.items():
            durations = _apply_temperature(durations, FIELD_OF_LEVEL[level], temperature)
        self._warn_of_unmatched_names(durations)
        for name, limit in self.hours.items():
            # Division by 1 and not by 0 where there is no such speech.
            factor = min(1.0, limit * 3600 / (_total(durations, name) or 1.0))
            durations = _scale(durations, name, factor)
        return self._apply_shares(durations)

    def _apply_shares(self, durations: GroupDurations) -> GroupDurations:
        """Scale groups to their shares and below their largest shares, until nothing changes."""
        limits = {**self.at_most, REPLAY: self.replay, SPEECHLESS: self.speechless}
        for _ in range(MAX_ITERATIONS):
            before = durations
            for name, share in self.shares.items():
                durations = _scale_to_share(durations, name, share)
            # After the shares, so that limits win where both are named.
            for name, limit in limits.items():
                if _total(durations, name) > limit * sum(durations.values()):
                    durations = _scale_to_share(durations, name, limit)
            if all(abs(durations[group] - before[group]) < TOLERANCE for group in durations):
                break
        return durations

    def _warn_of_unmatched_names(self, durations: GroupDurations) -> None:
        names = {*self.languages, *self.corpora, *self.shares, *self.at_most, *self.hours}
        for name in sorted(names):
            if not any(group.matches(name) for group in durations):
                log.warning("mix: no data matches %r", name)

    def _weight(self, group: MixtureGroup) -> float:
        has_no_weight = group.origin in (REPLAY, SPEECHLESS)
        origin = 1.0 if has_no_weight else float(getattr(self, group.origin))
        language = self.languages.get(group.lang or "", 1.0)
        return origin * language * self.corpora.get(group.corpus or "", 1.0)


def _total(durations: GroupDurations, name: str) -> Seconds:
    """Return the seconds of all groups that match a name."""
    return sum(seconds for group, seconds in durations.items() if group.matches(name))


def _scale(durations: GroupDurations, name: str, factor: float) -> GroupDurations:
    """Return the durations with those that match a name multiplied by a factor."""
    return {
        group: seconds * factor if group.matches(name) else seconds
        for group, seconds in durations.items()
    }


def _scale_to_share(durations: GroupDurations, name: str, share: Share) -> GroupDurations:
    """Return the durations with a name at this share of the total.

    They stay as they are if nothing matches the name, or everything does.
    """
    total_of_name = _total(durations, name)
    rest = sum(durations.values()) - total_of_name
    if not total_of_name or rest <= 0 or share == 1:
        return durations
    return _scale(durations, name, rest * share / (1 - share) / total_of_name)


def _apply_temperature(
    durations: GroupDurations, field_name: str, temperature: float
) -> GroupDurations:
    """Return durations of the same total, with shares that are nearer to each other.

    Below a temperature of 1 the shares are further apart.
    """
    totals: dict[str | None, Seconds] = {}
    for group, seconds in durations.items():
        level = getattr(group, field_name)
        totals[level] = totals.get(level, 0.0) + seconds
    # As in the sampling of multilingual models: hours to the power of 1 / temperature.
    powers = {level: seconds ** (1 / temperature) for level, seconds in totals.items() if seconds}
    power_sum, total = sum(powers.values()), sum(totals.values())
    # One factor for all groups of a level, so their proportions to each other stay.
    factors = {level: total * power / power_sum / totals[level] for level, power in powers.items()}
    return {
        group: seconds * factors.get(getattr(group, field_name), 0.0)
        for group, seconds in durations.items()
    }
