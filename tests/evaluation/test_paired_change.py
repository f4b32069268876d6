"""The paired test worked out by hand, and its distribution against that of scipy."""

from __future__ import annotations

import math

import pytest

from twister_loop.evaluation.looks import level_at_look
from twister_loop.evaluation.paired_test import (
    PairedChange,
    Spread,
    _normal_quantile,
    measure_change,
    student_quantile,
)
from twister_loop.evaluation.power import Sight, round_up, tokens_to_decide
from twister_loop.types import ErrorCount


def counts(*errors: int, tokens: int = 10) -> list[ErrorCount]:
    return [ErrorCount(substitutions=wrong, hits=tokens - wrong) for wrong in errors]


def students_t(times: float, degrees: int) -> float:
    from scipy.stats import t

    return float(t.cdf(times, degrees))


def test_a_change_of_four_utterances_by_hand() -> None:
    """Differences -1 -1 0 0 on 40 words; their deviations from the mean are -.5 -.5 .5 .5."""
    baseline, candidate = counts(3, 3, 3, 3), counts(2, 2, 3, 3)
    change = measure_change(candidate, baseline, ["a", "a", "b", "b"], "speakers")
    assert (change.change, change.tokens, change.baseline_rate) == (-0.05, 40, 0.3)
    utterances, speakers = change.spreads
    assert (utterances.unit, utterances.units) == ("utterances", 4)
    assert utterances.standard_error == pytest.approx(math.sqrt(1 * 4 / 3) / 40)
    # Of the speakers -1 and 1.
    assert (speakers.unit, speakers.units) == ("speakers", 2)
    assert speakers.standard_error == pytest.approx(math.sqrt(2 * 2 / 1) / 40)
    by_utterance = PairedChange(change.change, 40, 0.3, (utterances,))
    by_speaker = PairedChange(change.change, 40, 0.3, (speakers,))
    assert by_utterance.p_value() == pytest.approx(students_t(-math.sqrt(3), 3), abs=0.003)
    assert by_speaker.p_value() > by_utterance.p_value(), "two speakers leave more doubt"
    assert change.p_value() == by_speaker.p_value()
    assert change.upper(0.05) == max(by_speaker.upper(0.05), by_utterance.upper(0.05)) > 0
    assert change.widest(0.05) == speakers
    assert change.p_value(limit=0.1) < change.p_value() < change.p_value(limit=-0.1)


def test_utterances_of_different_lengths_weigh_by_their_words() -> None:
    baseline = [*counts(2, tokens=10), *counts(3, tokens=30)]
    candidate = [*counts(1, tokens=10), *counts(3, tokens=30)]
    change = measure_change(candidate, baseline, ["a", "b"])
    # Of -1 in 40 words the first deviates by -1 + 10/40, the second by 30/40; left out, each takes
    # a quarter or three quarters of the words away.
    assert change.change == -1 / 40 and change.baseline_rate == 5 / 40
    [spread] = change.spreads
    assert spread.standard_error == pytest.approx(
        math.sqrt(((0.75 / 0.75) ** 2 + (0.75 / 0.25) ** 2) / 2) / 40
    )


def test_groups_of_one_utterance_each_are_no_second_kind_of_unit() -> None:
    change = measure_change(counts(1, 2, 3), counts(2, 2, 2), ["a", "b", "c"], "recordings")
    assert [spread.unit for spread in change.spreads] == ["utterances"]
    two = measure_change(counts(1, 2, 3), counts(2, 2, 2), ["a", "b", "a"], "recordings")
    assert [(spread.unit, spread.units) for spread in two.spreads] == [
        ("utterances", 3),
        ("recordings", 2),
    ]


def test_one_unit_says_nothing_about_others() -> None:
    one = measure_change(counts(1), counts(3), ["a"])
    assert one.p_value() == 1.0 and one.upper(0.4) == math.inf
    speaker = measure_change(counts(1, 1, 1), counts(3, 3, 2), ["a", "a", "a"], "speakers")
    assert speaker.p_value() == 1.0 and speaker.widest(0.05).unit == "speakers"


def test_utterances_that_all_change_alike_leave_no_doubt() -> None:
    better = measure_change(counts(1, 1), counts(2, 2), ["a", "b"])
    assert better.p_value() == 0.0 and better.upper(0.001) == better.change == -0.1
    same = measure_change(counts(1, 1), counts(1, 1), ["a", "b"])
    assert same.p_value() == 0.0, "no more than the limit"
    assert same.p_value(limit=0.01) == 0.0 and same.p_value(limit=-0.01) == 1.0
    assert same.upper(0.05) == 0.0


def test_silence_counts_as_whole_errors_and_divides_nothing_by_zero() -> None:
    silence = [ErrorCount(), ErrorCount()]
    change = measure_change([ErrorCount(insertions=2), ErrorCount()], silence, ["a", "b"])
    assert (change.change, change.tokens, change.baseline_rate) == (2.0, 0, 0.0)
    assert change.p_value() > 0.5


def test_models_are_compared_on_the_same_utterances() -> None:
    with pytest.raises(ValueError, match="there are 2 and 1"):
        measure_change(counts(1, 2), counts(1), ["a", "b"])


@pytest.mark.parametrize("degrees", [4, 10, 51, 273, 2000])
@pytest.mark.parametrize("confidence", [0.6, 0.95, 0.975, 0.9995])
def test_quantiles_are_those_of_student(degrees: int, confidence: float) -> None:
    from scipy.stats import norm, t

    normal, student = float(norm.ppf(confidence)), float(t.ppf(confidence, degrees))
    # 4 % too large, which is careful, at a level of one in 2,000 from five units.
    assert student_quantile(normal, degrees) == pytest.approx(student, rel=0.16 / degrees)
    assert student_quantile(normal, degrees) > 0.995 * student
    assert student_quantile(-normal, degrees) == -student_quantile(normal, degrees)
    assert _normal_quantile(student, degrees) == pytest.approx(normal, rel=0.1 / degrees)
    assert _normal_quantile(-student, degrees) == -_normal_quantile(student, degrees)


def test_few_degrees_are_on_the_careful_side() -> None:
    from scipy.stats import t

    for degrees in (1, 2, 3):
        assert student_quantile(1.96, degrees) > t.ppf(0.975, degrees)
    assert student_quantile(1.0, 0) == math.inf and student_quantile(-1.0, 0.5) == -math.inf
    assert math.isfinite(student_quantile(1.0, 1)) and math.isfinite(student_quantile(40.0, 1))


def test_the_bound_and_the_p_value_are_one_test() -> None:
    change = PairedChange(-0.02, 1000, 0.2, (Spread("utterances", 50, 0.01),))
    for alpha in (0.2, 0.05, 0.001):
        assert change.p_value(limit=change.upper(alpha)) == pytest.approx(alpha, rel=0.02)
    assert change.p_value(limit=change.change) == pytest.approx(0.5)


def test_the_error_that_is_spent_never_adds_up_to_more_than_is_permitted() -> None:
    spent = [1 - level_at_look(0.9, look) for look in range(1, 2000)]
    first = 0.6 / math.pi**2
    assert spent[:3] == pytest.approx([first, first / 4, first / 9])
    assert 0.098 < sum(spent[:50]) < sum(spent) < 0.1


def test_gains_and_tokens_are_two_readings_of_one_formula() -> None:
    """A gain needs 1.96 + 0.84 standard errors; the variance of the errors is 0.4 to 1 of them."""
    sight = Sight(4000, "words", error_rate=0.1)
    low, high = sight.find_gain(0.025)
    assert low == pytest.approx((1.95996 + 0.84162) * math.sqrt(0.4 / 400), rel=1e-4)
    assert high == pytest.approx((1.95996 + 0.84162) * math.sqrt(1.0 / 400), rel=1e-4)
    assert sight.find_tokens(low, 0.025)[0] == pytest.approx(4000)
    assert sight.find_tokens(high, 0.025)[1] == pytest.approx(4000)
    assert sight.find_tokens(0.0, 0.025) == (math.inf, math.inf)
    # Few speakers need more than many, by Student's distribution.
    few = Sight(4000, "words", error_rate=0.1, units=5)
    assert few.find_gain(0.025)[0] == pytest.approx((2.79 + 0.84) * math.sqrt(0.001), rel=0.01)
    by_character = Sight(4000, "characters", error_rate=0.1).find_gain(0.025)
    assert by_character[1] / by_character[0] == pytest.approx(math.sqrt(2.0 / 0.3))
    assert Sight(0, "words", error_rate=0.0).find_gain(0.025)[1] > 1
    assert math.isfinite(Sight(100, "words", error_rate=0.0).find_tokens(0.1, 0.025)[1])


def test_amounts_of_speech_are_told_with_their_hours() -> None:
    words = Sight(5000, "words", 0.1, seconds=7200).describe_tokens(0.1, 0.025)
    assert words == "3,200 to 7,900 words (1.3 to 3.1 h)"
    assert Sight(5000, "characters", 0.1).describe_tokens(0.1, 0.025).endswith(" characters")
    unknown = Sight(5000, "words", 0.1, seconds=7200).describe_tokens(0.0, 0.025)
    assert unknown == "infinitely many to infinitely many words"


def test_at_least_twice_the_speech_that_did_not_decide_is_asked_for() -> None:
    needed = tokens_to_decide(1000, standard_error=0.02, distance=0.01, alpha=0.05)
    assert needed == pytest.approx(1000 * ((1.64485 + 0.84162) * 2) ** 2, rel=1e-4)
    assert tokens_to_decide(1000, 0.001, 0.01, 0.05) == 2000.0
    assert tokens_to_decide(1000, 0.01, 0.0, 0.05) == math.inf
    assert tokens_to_decide(1000, 0.01, -0.01, 0.05) == math.inf
    assert tokens_to_decide(1000, math.inf, 0.01, 0.05) == math.inf


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0.5, "1"),
        (7.0, "7"),
        (10.0, "10"),
        (99.5, "100"),
        (100.0, "100"),
        (101.0, "110"),
        (1234.5, "1,300"),
        (12000.0, "12,000"),
        (math.inf, "infinitely many"),
    ],
)
def test_counts_are_rounded_up_to_two_digits(count: float, text: str) -> None:
    assert round_up(count) == text
