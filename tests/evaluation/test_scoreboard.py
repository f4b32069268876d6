"""Scoreboard of a round with several sets of a kind."""

from pathlib import Path

import pytest

from tests import world as toy
from tests.windowed import PART, run_rounds
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


def test_one_utterance_says_nothing_of_others(summary: RoundSummary) -> None:
    interval = summary.intervals["second"]["untouched"]["words"]
    assert interval.low == 0 and interval.high >= 1
    for changes in (summary.changes["second"], summary.steps["second"]):
        assert not any(change.is_significant for change in changes.values())


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


@pytest.fixture(scope="module")
def windowed(tmp_path_factory: pytest.TempPathFactory) -> RoundSummary:
    """Return a round whose sets are decoded in both ways, one of them in Japanese."""
    return summarize(run_rounds(tmp_path_factory.mktemp("windowed"), rounds=1)).rounds[0]


def test_standard_decoding_has_scores_intervals_and_changes_of_its_own(
    windowed: RoundSummary,
) -> None:
    assert windowed.full_window.keys() == windowed.scores.keys()
    assert windowed.full_window["test"]["candidate"].utterances == PART
    for name, row in windowed.full_window.items():
        for measure in ("words", "characters", "mixed"):
            for model, score in row.items():
                interval = windowed.full_window_intervals[name][model][measure]
                assert interval.low <= getattr(score, measure).rate <= interval.high
            rates = {model: getattr(score, measure).rate for model, score in row.items()}
            change = windowed.full_window_changes[name][measure]
            step = windowed.full_window_steps[name][measure]
            assert change.rate == pytest.approx(rates["candidate"] - rates["untouched"])
            assert step.rate == pytest.approx(rates["candidate"] - rates["champion"])
            assert change.low <= change.rate <= change.high
    own, standard = (
        scores["dev"]["candidate"].count() for scores in (windowed.scores, windowed.full_window)
    )
    assert standard.errors > own.errors, "windows lose the last letter"


def test_pooled_sets_of_different_measures_are_read_by_mixed_errors(
    windowed: RoundSummary,
) -> None:
    for scores in (windowed.scores, windowed.full_window):
        measures = {name: row["candidate"].measure for name, row in scores.items()}
        assert measures["japanese"] == "characters" and measures["vowels"] == "words"
        assert measures["all retention sets"] == "mixed" and measures["all test sets"] == "words"
        pooled = scores["all retention sets"]["candidate"]
        parts = [scores[name]["candidate"] for name in ("japanese", "vowels")]
        assert pooled.count() == parts[0].mixed + parts[1].mixed
        assert pooled.timestamps == parts[0].timestamps + parts[1].timestamps


def test_the_worst_utterances_are_counted_by_the_measure_of_their_set(
    windowed: RoundSummary,
) -> None:
    characters = windowed.scores["japanese"]["candidate"].characters.errors
    assert sum(utterance.candidate for utterance in windowed.worst["japanese"]) == characters > 2
