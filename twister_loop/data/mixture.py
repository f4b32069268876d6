"""How many hours of what are trained on: pure arithmetic over groups of speech.

A group is what has the same origin, language and corpus. Its hours are those at hand times the
weights of the three; then languages, origins or corpora are evened out by a temperature, groups
are brought to shares, and what is above its hours or its share is left out.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ..core import schema
from ..core.types import Language, Seconds, Share

log = logging.getLogger(__name__)

REPLAY = "replay"
"""The origin, for this arithmetic alone, of speech that is replayed."""
ORIGINS = ("human", "pseudo", "synthetic", REPLAY)
ROUNDS = 100
"""Shares are of a whole that changes with them; so often they are computed anew."""


class MixtureGroup(NamedTuple):
    """What is mixed as one."""

    origin: str
    lang: Language | None
    corpus: str | None

    def matches(self, name: str) -> bool:
        return name in (self.origin, self.lang, self.corpus)


GroupDurations = dict[MixtureGroup, Seconds]
Level = Literal["origin", "language", "corpus"]
FIELDS: dict[Level, str] = {"origin": "origin", "language": "lang", "corpus": "corpus"}


@dataclass(frozen=True)
class MixOptions:
    """How often the hours of each origin count: 0.5 takes half of them, 2 takes all twice."""

    human: float = 1.0
    pseudo: float = 1.0
    synthetic: float = 1.0
    replay: Share = 0.1
    """Part of all hours that replayed speech may be; it is never taken twice."""
    languages: Mapping[Language, float] = field(default_factory=dict)
    """Weights of languages; 1 unless given."""
    corpora: Mapping[str, float] = field(default_factory=dict)
    """Weights of corpora, by the name of their folder, file or data set; 1 unless given."""
    temperature: Mapping[Level, float] = field(default_factory=dict)
    """Above 1 small languages (or origins, or corpora) get more of the same hours: shares are
    proportional to hours to the power of 1 / temperature."""
    shares: Mapping[str, Share] = field(default_factory=dict)
    """Part of all hours that an origin, a language or a corpus is brought to, taken as often as
    that needs."""
    at_most: Mapping[str, Share] = field(default_factory=dict)
    """Part of all hours that an origin, a language or a corpus may be; more is left out."""
    hours: Mapping[str, float] = field(default_factory=dict)
    """Hours of an origin, a language or a corpus; more is left out."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS

    def __post_init__(self) -> None:
        for name in ("human", "pseudo", "synthetic"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: a weight, not below 0")
        for name in ("languages", "corpora", "hours"):
            for key, value in getattr(self, name).items():
                if value < 0:
                    raise ValueError(f"{name}: {key}: not below 0")
        if any(value <= 0 for value in self.temperature.values()):
            raise ValueError("temperature: above 0; 1 changes nothing")
        parts = {**self.shares, **self.at_most, REPLAY: self.replay}
        if any(not 0 <= value <= 1 for value in parts.values()):
            raise ValueError("replay, shares, at_most: parts of a whole, from 0 to 1")
        if any(value == 1 for value in self.shares.values()) or sum(self.shares.values()) >= 1:
            raise ValueError("shares: must leave something for the rest")

    def keeps_any(self, origins: Sequence[str]) -> bool:
        """Whether anything of these origins can be left to train on."""
        return any(
            getattr(self, each) and self.hours.get(each, 1.0) and self.at_most.get(each, 1.0)
            for each in origins
        )

    def target_durations(self, at_hand: GroupDurations) -> GroupDurations:
        """So many seconds of each group."""
        hours = {each: seconds * self._weight(each) for each, seconds in at_hand.items() if seconds}
        for level, temperature in self.temperature.items():
            hours = _evened(hours, FIELDS[level], temperature)
        known = (*self.languages, *self.corpora, *self.shares, *self.at_most, *self.hours)
        for name in sorted(
            {name for name in known if not any(each.matches(name) for each in hours)}
        ):
            log.warning("mix: there is no speech of %s", name)
        for name, most in self.hours.items():
            hours = _scaled(hours, name, min(1.0, most * 3600 / (_of(hours, name) or 1.0)))
        caps = {**self.at_most, REPLAY: self.replay}
        for _ in range(ROUNDS):
            before = hours
            for name, share in self.shares.items():
                hours = _brought(hours, name, share)
            for name, share in caps.items():
                if _of(hours, name) > share * sum(hours.values()):
                    hours = _brought(hours, name, share)
            if all(abs(hours[each] - before[each]) < 1e-3 for each in hours):
                break
        return hours

    def _weight(self, group: MixtureGroup) -> float:
        by_language = self.languages.get(group.lang or "", 1.0)
        origin = 1.0 if group.origin == REPLAY else float(getattr(self, group.origin))
        return origin * by_language * self.corpora.get(group.corpus or "", 1.0)


def _of(hours: GroupDurations, name: str) -> Seconds:
    return sum(seconds for each, seconds in hours.items() if each.matches(name))


def _scaled(hours: GroupDurations, name: str, by: float) -> GroupDurations:
    return {
        each: seconds * by if each.matches(name) else seconds for each, seconds in hours.items()
    }


def _brought(hours: GroupDurations, name: str, share: Share) -> GroupDurations:
    """With the hours of a name at a share of the whole; as they are where there is nothing else."""
    of_name = _of(hours, name)
    rest = sum(hours.values()) - of_name
    if not of_name or rest <= 0 or share == 1:
        return hours
    return _scaled(hours, name, rest * share / (1 - share) / of_name)


def _evened(hours: GroupDurations, of: str, temperature: float) -> GroupDurations:
    """The same hours in all, with shares nearer to each other (or further apart below 1)."""
    sums: dict[str | None, Seconds] = {}
    for each, seconds in hours.items():
        sums[getattr(each, of)] = sums.get(getattr(each, of), 0.0) + seconds
    powers = {value: seconds ** (1 / temperature) for value, seconds in sums.items() if seconds}
    whole, total = sum(powers.values()), sum(sums.values())
    by = {value: total * power / whole / sums[value] for value, power in powers.items()}
    return {each: seconds * by.get(getattr(each, of), 0.0) for each, seconds in hours.items()}
