"""Amounts of speech and text under the keys of a plan, from lists and headers, within seconds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..audio import io as audio
from ..core.errors import TwisterError
from ..core.types import Language, Seconds, Utterance
from ..data.corpora._base import Corpus
from .plan import Plan

LISTING_SECONDS: Seconds = 2.0
"""Time after which the listing of a corpus ends, so that a forecast of a large pool is quick."""
SET_LISTING_SECONDS: Seconds = 10.0
"""The same for held-out sets: they are smaller, and only a whole set tells what gates will see."""


@dataclass(frozen=True)
class DataAmount:
    """Amount of speech or text under one key of a plan."""

    place: str
    """Key of the plan, such as `pool` or `development.calls`."""
    utterances: int = 0
    rejected: int = 0
    """Files and rows that cannot be used."""
    duration: Seconds = 0.0
    words: int = 0
    """Words of the transcripts or texts."""
    languages: Mapping[str, int] = field(default_factory=dict)
    """Utterances by language; `detected` for those without one."""
    is_complete: bool = True
    """False if the listing took too long and was ended, so that there is more."""
    problem: str | None = None
    """Reason why nothing can be listed."""


@dataclass(frozen=True)
class Listing:
    """Utterances of the corpora under one key, as far as they were listed."""

    utterances: list[Utterance]
    is_complete: bool
    problem: str | None = None

    @property
    def usable(self) -> list[Utterance]:
        """Utterances that no corpus rejected."""
        return [line for line in self.utterances if not (line.rejected_by or line.error)]


def list_data(plan: Plan) -> dict[str, tuple[Corpus, ...]]:
    """Return the corpora of a plan by key."""
    corpora = {"pool": plan.pool, "texts": plan.texts, "human": plan.human, "replay": plan.replay}
    return {
        # Without a pool there is no round, so an empty one is listed too.
        **{place: listed for place, listed in corpora.items() if listed or place == "pool"},
        **({"pool_references": (plan.pool_references,)} if plan.pool_references else {}),
        **{f"{kind}.{name}": (corpus,) for name, (kind, corpus) in plan.sets.items()},
    }


def list_utterances(corpora: Sequence[Corpus], seconds: Seconds = LISTING_SECONDS) -> Listing:
    """List corpora until the time is up; headers give the durations."""
    utterances = list[Utterance]()
    # By the clock and not by a number: a header on a network disk takes a hundred times longer.
    remaining = seconds
    try:
        with audio.trusting_headers():
            for corpus in corpora:
                deadline = None
                for utterance in corpus.utterances():
                    utterances.append(utterance)
                    # From the first utterance on: a corpus that is listed as a whole before it
                    # yields one is done by then, and a part of it would tell less for nothing.
                    deadline = deadline or time.monotonic() + remaining
                    if time.monotonic() > deadline:
                        return Listing(utterances, is_complete=False)
                if deadline:
                    remaining = deadline - time.monotonic()
    except TwisterError as error:
        return Listing(utterances, is_complete=True, problem=str(error))
    except OSError as error:  # such as a name that is longer than the file system allows
        reason = f"{error.strerror}: {str(error.filename)[:60]}"
        return Listing(utterances, is_complete=True, problem=reason)
    return Listing(utterances, is_complete=True)


def default_language(plan: Plan, place: str) -> Language | None:
    """Return the language of the utterances under one key that name none of their own."""
    # Replay and retention are there to keep other languages than the plan's.
    return None if place == "replay" or place.startswith("retention.") else plan.language


def count_data(place: str, listing: Listing, language: Language | None = None) -> DataAmount:
    """Return the sums over a listing.

    Args:
        place: Key of the plan.
        listing: Utterances of its corpora.
        language: Language of those that name none; None if it is detected.
    """
    # What was rejected is counted apart: it has no duration, and trains nothing.
    usable = listing.usable
    return DataAmount(
        place=place,
        utterances=len(usable),
        rejected=len(listing.utterances) - len(usable),
        duration=sum(utterance.duration for utterance in usable),
        words=sum(len((utterance.text or "").split()) for utterance in usable),
        languages=Counter(utterance.lang or language or "detected" for utterance in usable),
        is_complete=listing.is_complete,
        problem=listing.problem,
    )
