"""Scoreboard of a round with several sets of a kind."""

from pathlib import Path

import pytest

from tests import world as toy
from twister_loop import load, next_round
from twister_loop.reporting.summary import RoundSummary, summarize


@pytest.fixture
def summary(world: Path) -> RoundSummary:
    data = world.parent / "data"
    toy.speak(["jinxed wizards pluck ivy from the big quilt"], data / "second")
    sets = {"test": "data/test", "second": "data/second"}
    next_round(load(world, {"test": sets}), world.parent / "run")
    return summarize(world.parent / "run").rounds[0]


def test_several_sets_of_a_kind_are_pooled_and_a_single_one_is_not(summary: RoundSummary) -> None:
    assert set(summary.scores) == {"dev", "test", "second", "all test sets", "vowels"}
    pooled = summary.scores["all test sets"]["untouched"]
    parts = [summary.scores[name]["untouched"] for name in ("test", "second")]
    assert pooled.words == parts[0].words + parts[1].words
    assert pooled.utterances == 3 and pooled.duration == sum(score.duration for score in parts)


def test_every_rate_and_every_change_has_its_interval(summary: RoundSummary) -> None:
    for name, row in summary.scores.items():
        for measure in ("words", "characters", "mixed"):
            for model, score in row.items():
                interval = summary.intervals[name][model][measure]
                assert interval.low <= getattr(score, measure).rate <= interval.high
            for change in (summary.changes[name][measure], summary.steps[name][measure]):
                assert (
                    change.low <= change.rate <= change.high
                    and change.resampling_unit == "utterances"
                )


def test_the_worst_utterances_have_most_errors_first(summary: RoundSummary) -> None:
    assert set(summary.worst) == {"dev", "test", "second", "vowels"}
    for name, worst in summary.worst.items():
        errors = [utterance.candidate for utterance in worst]
        assert errors == sorted(errors, reverse=True) and all(errors)
        assert len(worst) <= summary.scores[name]["candidate"].utterances


def test_improved_and_worsened_utterances_show_the_untouched_transcript(
    summary: RoundSummary,
) -> None:
    assert any(summary.improved.values())
    for name, improved in summary.improved.items():
        assert all(utterance.candidate < utterance.untouched for utterance in improved)
        worsened_ids = {utterance.id for utterance in summary.worsened[name]}
        assert not {utterance.id for utterance in improved} & worsened_ids
        for utterance in improved:
            assert (
                " ".join(chunk.reference for chunk in utterance.untouched_chunks if chunk.reference)
                == utterance.text
            )
            assert utterance.untouched_chunks != utterance.chunks
