"""Mixture: how many hours of which speech are trained on. Pure arithmetic; no speech is read here.

A group is the speech of one origin, language and corpus. What is asked of it is the time that is
available times the weights of the three; a temperature then evens out languages, origins or
corpora. Shares and caps hold exactly in the mixture that results: it is the largest that keeps all
of them at once (`mixture_limits`).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, NamedTuple

import numpy as np

from ..core import schema
from ..core.errors import ConfigError
from ..core.ranges import Fraction, NumberFromZero, Range
from ..core.types import Language, Seconds, Share
from .mixture_limits import EXACT, Limit, fill, find_conflict

log = logging.getLogger(__name__)

REPLAY = "replay"
"""Origin of replayed speech, in this arithmetic only."""
SPEECHLESS = "speechless"
"""Origin of clips without speech, in this arithmetic only."""
TAKEN_ONCE = frozenset({REPLAY, SPEECHLESS})
"""Origins of which no speech is taken twice, whatever their share."""
ORIGINS = ("human", "pseudo", "synthetic", REPLAY, SPEECHLESS)


class MixtureGroup(NamedTuple):
    """Speech that is mixed as one: of the same origin, language and corpus."""

    origin: str
    lang: Language | None
    corpus: str | None

    def matches(self, name: str) -> bool:
        """Return True if `name` is the origin, the language or the corpus of the group."""
        return name in (self.origin, self.lang, self.corpus)

    def __str__(self) -> str:
        """Return the origin, language and corpus.

        >>> str(MixtureGroup("pseudo", "it", None))
        'pseudo it'
        """
        return " ".join(filter(None, self))


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
    taken as many times as that needs; if that is not possible, less of all other speech is."""
    at_most: Mapping[str, Fraction] = field(default_factory=dict)
    """Largest share of all hours, from 0 to 1, for an origin, a language or a corpus; more is left
    out."""
    hours: Mapping[str, NumberFromZero] = field(default_factory=dict)
    """Most hours of an origin, a language or a corpus; more is left out."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS

    def __post_init__(self) -> None:
        for name, share in self.shares.items():
            if share > (most := self._largest_share(name)):
                key = name if name in (REPLAY, SPEECHLESS) else "at_most"
                raise ValueError(
                    f"shares, {key}: {name} cannot have a share of {share:g} and be at most "
                    f"{most:g}; change one of the two"
                )
            if share and self.hours.get(name) == 0:
                raise ValueError(
                    f"shares, hours: {name} cannot have a share of {share:g} and 0 hours; "
                    "leave one of the two out"
                )

    def contradictions(self, origins: Collection[str], corpora: Collection[str]) -> Iterator[str]:
        """Yield what cannot hold together, whatever the amounts of speech are.

        Args:
            origins: Origins of the speech that the plan has.
            corpora: Names of its corpora.
        """
        for name, share in self.shares.items():
            if share and name in ORIGINS and name not in origins:
                yield (
                    f"shares: {name} cannot have a share of {share:g}, since the plan has no "
                    f"{name} speech"
                )
            elif share and name in ORIGINS and not self._origin_weight(name):
                yield f"shares: {name} cannot have a share of {share:g} and a weight of 0"
        # Every clip is of one origin, language and corpus, so shares of each kind are of its own
        # speech. What is neither an origin nor a corpus is a language.
        kinds = {"origins": ORIGINS, "corpora": corpora}
        for kind in ("origins", "corpora", "languages"):
            names = [
                name
                for name in sorted(self.shares)
                if next((known for known in kinds if name in kinds[known]), "languages") == kind
            ]
            if (total := sum(self.shares[name] for name in names)) > 1 + EXACT:
                yield (
                    f"shares: those of the {kind} {', '.join(names)} add up to {100 * total:g} %, "
                    "and there is only a whole; lower one of them"
                )
        # Origins alone: which languages there are is known when the labels are.
        present = [origin for origin in origins if self._may_have(origin)]
        largest = {
            origin: self.shares.get(origin, self._largest_share(origin)) for origin in present
        }
        if present and sum(largest.values()) < 1 - EXACT:
            caps = ", ".join(f"{origin} {100 * share:g} %" for origin, share in largest.items())
            yield (
                f"shares, at_most: the largest shares ({caps}) add up to "
                f"{100 * sum(largest.values()):g} %, and the training data needs a whole; raise "
                "one of them"
            )
        rest = [origin for origin in present if origin not in self.shares]
        if rest and sum(self.shares.get(origin, 0.0) for origin in origins) >= 1 - EXACT:
            yield (
                f"shares: must leave something for the rest, which is {', '.join(rest)} speech; "
                "lower one of them, or give the rest a weight of 0"
            )

    def without(self, origin: str) -> MixOptions:
        """Return the options for training data without the speech of an origin.

        Shares of origins are left out too, since they are shares of a whole that has it.

        >>> MixOptions(shares={"synthetic": 0.8, "it": 0.5}).without("synthetic").shares
        {'it': 0.5}
        """
        shares, at_most = (
            {name: share for name, share in limits.items() if name not in ORIGINS}
            for limits in (self.shares, self.at_most)
        )
        return replace(self, shares=shares, at_most=at_most, **{origin: 0.0})  # type: ignore[arg-type]

    def keeps_any(self, origins: Sequence[str]) -> bool:
        """Return True if any speech of these origins can be left to train on."""
        return any(self._may_have(origin) for origin in origins)

    def asked_durations(self, available: GroupDurations) -> GroupDurations:
        """Return how much of each group the weights and temperatures ask for.

        Args:
            available: Seconds of speech in each group.

        Returns:
            Seconds for each group that has any speech. More than available means that speech is
            taken more than once.
        """
        durations = {
            group: seconds * self._weight(group) for group, seconds in available.items() if seconds
        }
        # Before shares and caps, which are absolute and have to hold in the end.
        for level, temperature in self.temperature.items():
            durations = _apply_temperature(durations, FIELD_OF_LEVEL[level], temperature)
        # Replay guards what was known; a few clips again and again would be learned by heart.
        return {
            group: min(seconds, available[group]) if group.origin in TAKEN_ONCE else seconds
            for group, seconds in durations.items()
        }

    def target_durations(self, available: GroupDurations) -> GroupDurations:
        """Return how much of each group to train on, so that all shares and caps hold.

        Names in the options that match no group are logged as warnings.

        Args:
            available: Seconds of speech in each group.

        Returns:
            Seconds for each group that has any speech, 0 only where a weight or a limit is 0.

        Raises:
            ConfigError: Shares and caps cannot hold together with the speech that there is.

        >>> talks = MixtureGroup("pseudo", "it", "talks")
        >>> calls = MixtureGroup("human", "it", "calls")
        >>> mix = MixOptions(hours={"talks": 1}, shares={"pseudo": 0.5})
        >>> mixture = mix.target_durations({talks: 20 * 3600, calls: 10 * 3600})
        >>> {str(group): round(seconds / 3600, 3) for group, seconds in mixture.items()}
        {'pseudo it talks': 1.0, 'human it calls': 1.0}
        """
        asked = self.asked_durations(available)
        # What a limit of 0 matches is in no mixture, and must not be taken for a contradiction.
        groups = [group for group in asked if asked[group] and not self._is_excluded(group)]
        self._check_names(list(asked), groups)
        if not groups:
            return dict.fromkeys(asked, 0.0)
        limits = list(self._limits(groups))
        if conflict := find_conflict(limits, len(groups)):
            raise ConfigError(
                f"mix: {' and '.join(map(str, conflict))} cannot hold with the speech that there "
                f"is: {', '.join(map(str, groups))}; change or leave out "
                f"{'one of them' if len(conflict) > 1 else 'this limit'}"
            )
        repeated = {
            place
            for place, group in enumerate(groups)
            if any(share and group.matches(name) for name, share in self.shares.items())
        }
        seconds = fill(
            np.array([asked[group] for group in groups]),
            np.array(
                [
                    available[group] if group.origin in TAKEN_ONCE
                    else np.inf if place in repeated
                    else asked[group]
                    for place, group in enumerate(groups)
                ]
            ),
            limits,
            repeated,
        )  # fmt: skip
        return dict.fromkeys(asked, 0.0) | dict(zip(groups, seconds.tolist(), strict=True))

    def reached_limits(self, durations: GroupDurations) -> list[str]:
        """Return the shares and caps that hold a mixture down, with their amounts."""
        groups = [group for group, seconds in durations.items() if seconds]
        seconds = np.array([durations[group] for group in groups])
        return [
            str(limit)
            for limit in self._limits(groups)
            if limit.is_exact or (any(limit.members) and limit.is_reached(seconds))
        ]

    def _limits(self, groups: Sequence[MixtureGroup]) -> Iterator[Limit]:
        """Yield the limits above 0; what a limit of 0 matches is none of these groups."""

        def members(name: str) -> tuple[bool, ...]:
            return tuple(group.matches(name) for group in groups)

        for name, share in self.shares.items():
            if share:
                yield Limit(f"shares.{name}", members(name), share, is_exact=True)
        for name, share in self._caps.items():
            if share and any(members(name)):
                key = name if name in (REPLAY, SPEECHLESS) else f"at_most.{name}"
                yield Limit(key, members(name), share)
        for name, hours in self.hours.items():
            if hours and any(members(name)):
                yield Limit(f"hours.{name}", members(name), seconds=hours * 3600)

    @property
    def _caps(self) -> dict[str, Share]:
        """Return the largest share by name, with those of replayed speech and clips without."""
        # `at_most` may name them too; then the smaller one holds.
        own = {REPLAY: self.replay, SPEECHLESS: self.speechless}
        return {
            name: min(self.at_most.get(name, 1.0), own.get(name, 1.0))
            for name in (*self.at_most, *own)
        }

    def _largest_share(self, name: str) -> Share:
        return self._caps.get(name, 1.0)

    def _is_excluded(self, group: MixtureGroup) -> bool:
        """Return True if a limit of 0 matches the group."""
        zeros = [self.shares, self._caps, self.hours]
        return any(
            not limit and group.matches(name) for limits in zeros for name, limit in limits.items()
        )

    def _may_have(self, origin: str) -> bool:
        """Return True if no weight and no limit of an origin is 0."""
        return bool(self._origin_weight(origin)) and not self._is_excluded(
            MixtureGroup(origin, None, None)
        )

    def _check_names(
        self, groups: Sequence[MixtureGroup], included: Sequence[MixtureGroup]
    ) -> None:
        """Warn of names that no group matches. Raises ConfigError if such a name has a share."""
        for name, share in self.shares.items():
            if share and not any(group.matches(name) for group in included):
                raise ConfigError(
                    f"mix.shares: {name} cannot have a share of {share:g}: there is no such "
                    f"speech, only {', '.join(map(str, included)) or 'none at all'}; correct the "
                    "name, or leave the share out"
                )
        names = {*self.languages, *self.corpora, *self.shares, *self.at_most, *self.hours}
        for name in sorted(names):
            if not any(group.matches(name) for group in groups):
                log.warning("mix: no data matches %r", name)

    def _origin_weight(self, origin: str) -> float:
        return 1.0 if origin in TAKEN_ONCE else float(getattr(self, origin))

    def _weight(self, group: MixtureGroup) -> float:
        language = self.languages.get(group.lang or "", 1.0)
        corpus = self.corpora.get(group.corpus or "", 1.0)
        return self._origin_weight(group.origin) * language * corpus


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
