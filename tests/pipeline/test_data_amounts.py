"""Listings of corpora within a time: what is listed when the time is up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from twister_loop import Utterance
from twister_loop.data.corpora._base import Corpus
from twister_loop.pipeline.data_amounts import (
    Listing,
    count_data,
    default_language,
    list_utterances,
)
from twister_loop.types import Plan

LIMIT = 10.0


@dataclass(frozen=True)
class TimedCorpus(Corpus):
    """Three utterances, each of which comes after some seconds of a clock."""

    clock: list[float]
    seconds: tuple[float, ...] = (0.0, 0.0, 0.0)

    def utterances(self) -> Iterator[Utterance]:
        for number, seconds in enumerate(self.seconds):
            self.clock[0] += seconds
            yield Utterance(id=str(number), duration=1.0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("seconds", "listed", "is_complete"),
    [
        ((1.0, 1.0, 1.0), 3, True),
        ((1.0, 9.0, 9.0), 3, False),
        ((1.0, 11.0, 0.0), 2, False),
        # Listed as a whole before the first utterance: the others come at once.
        ((60.0, 0.0, 0.0), 3, True),
    ],
)
def test_a_listing_ends_when_the_time_after_the_first_utterance_is_up(
    clock: list[float], seconds: tuple[float, ...], listed: int, is_complete: bool
) -> None:
    listing = list_utterances([TimedCorpus(clock, seconds)], LIMIT)
    assert (len(listing.utterances), listing.is_complete) == (listed, is_complete)


def test_corpora_share_the_time(clock: list[float]) -> None:
    slow = TimedCorpus(clock, (30.0, 4.0, 4.0))
    listing = list_utterances([slow, slow], LIMIT)
    assert (len(listing.utterances), listing.is_complete) == (5, False)


def test_the_language_of_the_plan_is_told_where_utterances_name_none(plan: Plan) -> None:
    italian = replace(plan, language="it")
    listing = Listing([Utterance(id="1"), Utterance(id="2", lang="en")], is_complete=True)
    languages = {
        place: count_data(place, listing, default_language(italian, place)).languages
        for place in ("pool", "texts", "development.dev", "test.test", "replay", "retention.en")
    }
    own = dict.fromkeys(["pool", "texts", "development.dev", "test.test"], "it")
    # These keep other languages, which the plan's is not.
    others = dict.fromkeys(["replay", "retention.en"], "detected")
    expected = {place: {lang: 1, "en": 1} for place, lang in {**own, **others}.items()}
    assert languages == expected
    assert default_language(plan, "pool") == plan.language
