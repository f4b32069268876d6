"""Reports side by side, with several sets of a kind."""

from pathlib import Path

import pytest

from tests import world as toy
from twister_loop import load, next_round
from twister_loop.reporting.summary import RoundSummary, summarize


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
        for measure in ("words", "characters", "mixed"):
            for who, score in row.items():
                around = found.intervals[name][who][measure]
                assert around.low <= getattr(score, measure).rate <= around.high
            for change in (found.changes[name][measure], found.steps[name][measure]):
                assert (
                    change.low <= change.rate <= change.high
                    and change.resampling_unit == "utterances"
                )


def test_the_worst_utterances_show_what_was_said_and_heard(found: RoundSummary) -> None:
    assert set(found.worst) == {"dev", "test", "second", "vowels"}
    for name, worst in found.worst.items():
        errors = [each.candidate for each in worst]
        assert errors == sorted(errors, reverse=True) and all(errors)
        assert len(worst) <= found.scores[name]["candidate"].utterances


def test_the_utterances_that_moved_most_come_with_what_was_heard_before(
    found: RoundSummary,
) -> None:
    assert any(found.improved.values())
    for name, improved in found.improved.items():
        assert all(each.candidate < each.untouched for each in improved)
        assert not {each.id for each in improved} & {each.id for each in found.worsened[name]}
        for each in improved:
            assert (
                " ".join(part.reference for part in each.untouched_chunks if part.reference)
                == each.text
            )
            assert each.untouched_chunks != each.chunks
