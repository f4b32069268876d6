"""Reports side by side, with several sets of a kind."""

from pathlib import Path

import pytest

from twister_loop import load, next_round
from twister_loop.summary import RoundSummary, summarize

from . import world as toy


@pytest.fixture
def found(world: Path) -> RoundSummary:
    data = world.parent / "data"
    toy.speak(["jinxed wizards pluck ivy from the big quilt"], data / "second")
    sets = {"test": "data/test", "second": "data/second"}
    next_round(load(world, {"test": sets}), world.parent / "run")
    return summarize(world.parent / "run").rounds[0]


def test_several_sets_of_a_kind_are_summed_and_one_alone_is_not(found: RoundSummary) -> None:
    assert set(found.scores) == {"dev", "test", "second", "all test sets", "vowels"}
    whole = found.scores["all test sets"]["untouched"]
    parts = [found.scores[name]["untouched"] for name in ("test", "second")]
    assert whole.words == parts[0].words + parts[1].words
    assert whole.utterances == 3 and whole.duration == sum(each.duration for each in parts)


def test_every_rate_and_every_change_has_its_interval(found: RoundSummary) -> None:
    for name, row in found.scores.items():
        for who, score in row.items():
            around = found.intervals[name][who]
            assert around.low <= score.words.rate <= around.high
        change = found.changes[name]
        assert change.low <= change.rate <= change.high and change.drawn == "utterances"


def test_the_worst_utterances_show_what_was_said_and_heard(found: RoundSummary) -> None:
    assert set(found.worst) == {"dev", "test", "second", "vowels"}
    for name, worst in found.worst.items():
        errors = [each.candidate for each in worst]
        assert errors == sorted(errors, reverse=True) and all(errors)
        assert len(worst) <= found.scores[name]["candidate"].utterances
