"""Bootstraps on examples small enough to work out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from twister_loop import Utterance
from twister_loop.evaluation import metrics
from twister_loop.types import ErrorCount

WRONG, RIGHT = ErrorCount(substitutions=1), ErrorCount(hits=1)


@pytest.mark.parametrize("groups", [None, ["s1", "s2"]])
def test_two_draws_of_two_give_each_rate_as_often_as_chance_does(groups: list[str] | None) -> None:
    """Both, one and none of the wrong ones are drawn in 1/4, 1/2 and 1/4 of the cases."""
    rates = metrics.bootstrap_rates({"a": [WRONG, RIGHT]}, seed=3, groups=groups)["a"]
    assert rates.shape == (2000,) and set(rates) == {0.0, 0.5, 1.0}
    assert np.mean(rates == 0.5) == pytest.approx(0.5, abs=0.05)
    assert np.mean(rates == 1.0) == pytest.approx(0.25, abs=0.04)
    assert list(rates) != sorted(rates), "in the order of the draws"


def test_a_group_is_drawn_whole() -> None:
    """Groups of two have the draws of single utterances that are twice as long."""
    single = [ErrorCount(substitutions=wrong, hits=9 - wrong) for wrong in (0, 2, 4, 1, 8)]
    groups, halves = list("abcde") * 2, single * 2
    plain = metrics.bootstrap_rates({"a": single}, seed=1)["a"]
    grouped = metrics.bootstrap_rates({"a": halves}, seed=1, groups=groups)["a"]
    scale = grouped.std() / plain.std()
    assert np.allclose(grouped - grouped.mean(), scale * (plain - plain.mean()))
    # A handful of speakers differ more than draws of them do.
    assert scale == pytest.approx(1.6, abs=0.05)
    alone = metrics.bootstrap_rates({"a": single}, seed=1, groups=list("abcde"))["a"]
    assert np.array_equal(alone, plain), "utterances by themselves are no groups"
    one = metrics.bootstrap_rates({"a": single}, seed=1, groups=["a"] * 5)["a"]
    assert np.ptp(one) == 0.0, "one group says nothing of others"


def test_many_groups_are_hardly_widened_and_two_are_much() -> None:
    for count, factor in ((20, 1.1), (2, 13.0)):
        single = [ErrorCount(substitutions=number % 3, hits=7) for number in range(count)]
        groups = [str(number) for number in range(count)] * 2
        plain = metrics.bootstrap_rates({"a": single}, seed=1)["a"]
        grouped = metrics.bootstrap_rates({"a": single * 2}, seed=1, groups=groups)["a"]
        assert grouped.std() / plain.std() == pytest.approx(factor, rel=0.05)


def test_a_paired_bootstrap_draws_what_leaves_more_doubt() -> None:
    """Speakers who are each better or worse throughout, and speakers who are all alike."""
    champion = [WRONG, RIGHT] * 20
    better, worse = [RIGHT, RIGHT], [WRONG, WRONG]
    by_speaker = (better * 5 + worse * 5) * 2
    speakers = [str(number // 10) for number in range(40)]
    wide = metrics.paired_bootstrap(by_speaker, champion, seed=1, groups=speakers)
    narrow = metrics.paired_bootstrap(by_speaker, champion, seed=1)
    assert wide.std() > 1.5 * narrow.std()
    alike = [*better, *worse] * 10
    same = metrics.paired_bootstrap(alike, champion, seed=1, groups=speakers)
    assert np.array_equal(same, metrics.paired_bootstrap(alike, champion, seed=1))


def test_the_widest_interval_of_several_units_counts() -> None:
    narrow, wide = np.linspace(0.4, 0.6, 1001), np.linspace(0.0, 0.5, 1001)
    for resampled in ((narrow, wide), (wide, narrow)):
        assert metrics.widest_interval_95(*resampled) == metrics.percentile_interval_95(wide)
    assert metrics.widest_interval_95(narrow) == metrics.percentile_interval_95(narrow)


def test_rates_weight_every_token_alike() -> None:
    """A rate is that of the drawn tokens, not the mean of the rates of utterances."""
    counts = [ErrorCount(substitutions=3), ErrorCount(hits=9)]
    rates = metrics.bootstrap_rates({"a": counts, "b": counts[::-1]}, seed=1)
    assert set(np.round(rates["a"], 6)) == {0.0, 0.25, 1.0}
    assert (rates["a"] + rates["b"]).max() == pytest.approx(1.0), "the same draws for both"
    assert set(np.round(rates["a"] + rates["b"], 6)) == {0.5, 1.0}


def test_nothing_to_draw_gives_nothing_and_silence_gives_no_division_by_zero() -> None:
    assert metrics.bootstrap_rates({}, seed=1) == {}
    silence = [ErrorCount(), ErrorCount(insertions=1)]
    rates = metrics.bootstrap_rates({"a": silence}, seed=1, resamples=300)["a"]
    assert rates.shape == (300,) and set(rates) == {0.0, 1.0, 2.0}
    differences = metrics.paired_bootstrap([silence[1]] * 2, [silence[0]] * 2, seed=1)
    assert differences.shape == (2000,) and set(differences) == {2.0}


def test_differences_are_candidate_minus_champion_and_ascending() -> None:
    champion, candidate = [WRONG, RIGHT, RIGHT], [RIGHT, RIGHT, RIGHT]
    drawn = metrics.paired_bootstrap(candidate, champion, seed=2, resamples=500)
    assert drawn.shape == (500,) and list(drawn) == sorted(drawn)
    assert set(np.round(drawn, 6)) == {-1.0, -0.666667, -0.333333, 0.0}
    assert set(metrics.paired_bootstrap(champion, candidate, seed=2)) <= {-d for d in drawn}
    other = metrics.paired_bootstrap(candidate, champion, seed=3, resamples=500)
    assert not np.array_equal(drawn, other)


def test_draws_in_batches_are_the_draws_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = [WRONG, RIGHT, RIGHT, WRONG, RIGHT]
    whole = metrics.bootstrap_rates({"a": counts}, seed=9, resamples=101)["a"]
    for most in (1, 10, 11, 505):
        monkeypatch.setattr(metrics, "MAX_DRAWS_IN_MEMORY", most)
        batched = metrics.bootstrap_rates({"a": counts}, seed=9, resamples=101)["a"]
        assert np.array_equal(batched, whole)


def test_the_interval_leaves_out_a_fortieth_on_either_side() -> None:
    assert metrics.percentile_interval_95(np.arange(1001.0)) == (25.0, 975.0)


def speech(count: int, **fields: str) -> list[Utterance]:
    return [Utterance(id=str(number), speaker="", **fields) for number in range(count)]  # type: ignore[arg-type]


def test_two_speakers_or_recordings_are_enough_and_one_is_not() -> None:
    for count, unit in ((2, "speakers"), (1, "utterances")):
        spoken = [
            replace(utterance, speaker=f"s{int(utterance.id) % count}") for utterance in speech(9)
        ]
        chosen, groups = metrics.choose_resampling_groups(spoken)
        assert chosen == unit
        by_name = [f"s{number % count}" for number in range(9)]
        assert groups == (by_name if unit == "speakers" else [str(n) for n in range(9)])
    for count, unit in ((2, "recordings"), (1, "utterances")):
        recorded = [
            replace(utterance, audio_filepath=Path(f"{int(utterance.id) % count}.wav"))
            for utterance in speech(9)
        ]
        chosen, groups = metrics.choose_resampling_groups(recorded)
        assert chosen == unit
        by_file = [f"{number % count}.wav" for number in range(9)]
        assert groups == (by_file if unit == "recordings" else [str(n) for n in range(9)])


def test_recordings_of_one_utterance_each_are_utterances() -> None:
    lines = [
        replace(utterance, audio_filepath=Path(f"{utterance.id}.wav")) for utterance in speech(12)
    ]
    assert metrics.choose_resampling_groups(lines) == ("utterances", [line.id for line in lines])
    # One file that was cut in two makes recordings of them.
    lines[1] = replace(lines[1], audio_filepath=lines[0].audio_filepath)
    assert metrics.choose_resampling_groups(lines)[0] == "recordings"


def test_one_utterance_without_a_speaker_makes_speakers_unusable() -> None:
    lines = [replace(utterance, speaker=f"s{utterance.id}") for utterance in speech(24)]
    assert metrics.choose_resampling_groups(lines)[0] == "speakers"
    lines[3] = replace(lines[3], speaker=None)
    assert metrics.choose_resampling_groups(lines)[0] == "utterances"
