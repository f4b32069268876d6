"""The test of a change of error rate, against figures made by hand and published tables."""

from __future__ import annotations

import math

import numpy as np
import pytest

from twister_loop.evaluation.paired_test import measure_change, student_quantile
from twister_loop.evaluation.power import Sight, round_up, tokens_to_decide
from twister_loop.types import ErrorCount


def counts(errors: list[int], words: int = 10) -> list[ErrorCount]:
    return [ErrorCount(insertions=wrong, hits=words) for wrong in errors]


NAMES = [str(number) for number in range(100)]


@pytest.mark.parametrize(
    ("normal", "degrees", "student"),
    [
        # Two-sided 95 % and one-sided 99.95 % of printed tables of Student's distribution.
        (1.95996, 4, 2.776),
        (1.95996, 9, 2.262),
        (1.95996, 29, 2.045),
        (1.95996, 120, 1.980),
        (3.29053, 9, 4.781),
        (3.29053, 29, 3.659),
    ],
)
def test_quantiles_are_those_of_the_tables(normal: float, degrees: int, student: float) -> None:
    assert student_quantile(normal, degrees) == pytest.approx(student, rel=0.01)
    assert student_quantile(-normal, degrees) == -student_quantile(normal, degrees)


def test_the_standard_error_is_that_of_the_paired_differences() -> None:
    """With utterances of one length it is the deviation of the differences over the root of n."""
    differences = [1, -1, 0, 2, -1, 0, 0, -3, 1, 0]
    before = [5] * 10
    after = [old + change for old, change in zip(before, differences, strict=True)]
    measured = measure_change(counts(after), counts(before), NAMES[:10])
    by_hand = float(np.std(differences, ddof=1)) / math.sqrt(10) / 10
    [spread] = measured.spreads
    # Leaving out a unit adds nothing where all have one length.
    assert spread.standard_error == pytest.approx(by_hand) and spread.units == 10
    assert measured.change == pytest.approx(-0.01) and measured.tokens == 100
    assert measured.baseline_rate == pytest.approx(0.5)
    # The differences have a longer tail to the left, which makes a gain no surer.
    assert spread.skewness == 0
    t_value = -0.01 / by_hand
    assert t_value == pytest.approx(-0.231, abs=0.001)
    # Student's distribution with 9 degrees, from tables.
    assert measured.p_value() == pytest.approx(0.411, abs=0.002)


def test_the_upper_bound_and_the_p_value_agree() -> None:
    rng = np.random.default_rng(1)
    before = rng.integers(0, 4, 60)
    after = np.maximum(before + rng.integers(-2, 2, 60) + 6 * (rng.random(60) < 0.05), 0)
    speakers = [str(number % 7) for number in range(60)]
    measured = measure_change(counts(after.tolist()), counts(before.tolist()), speakers, "speakers")
    assert any(spread.skewness for spread in measured.spreads)
    for alpha in (0.2, 0.05, 0.0083, 0.00045):
        upper = measured.upper(alpha)
        assert measured.p_value(upper) == pytest.approx(alpha, rel=1e-6)
        assert measured.p_value(upper + 0.001) < alpha < measured.p_value(upper - 0.001)
    assert measured.upper(0.01) > measured.upper(0.05) > measured.change


def test_speakers_are_summed_before_they_are_compared() -> None:
    """Speakers A and B by hand: residuals of +5 and -5 words on half of 100 words each."""
    before, after = counts([2] * 10), counts([3] * 5 + [2] * 5)
    measured = measure_change(after, before, ["a"] * 5 + ["b"] * 5, "speakers")
    by_unit = {spread.unit: spread for spread in measured.spreads}
    assert measured.change == pytest.approx(0.05)
    # Changes of 0.1 and 0.0: their mean has half of the distance as standard error.
    assert by_unit["speakers"].standard_error == pytest.approx(0.05)
    assert by_unit["speakers"].units == 2 and by_unit["utterances"].units == 10


def test_a_speaker_with_most_of_the_speech_leaves_more_doubt() -> None:
    """Nineteen of twenty utterances are of one speaker: nearly all is known of him alone."""
    before = counts([2] * 40)
    after = counts([1 if n % 2 else 2 for n in range(40)])
    even = measure_change(after, before, [str(n // 4) for n in range(40)], "speakers")
    one_large = ["large" if n < 31 else str(n) for n in range(40)]
    uneven = measure_change(after, before, one_large, "speakers")
    assert even.spreads[1].units == uneven.spreads[1].units == 10
    assert uneven.upper(0.05) > even.upper(0.05)


def test_large_rare_losses_take_certainty_away_and_large_rare_gains_add_none() -> None:
    many_gains_one_loss = [-1, 0, 0] * 19 + [-1, 0, 12]
    mirrored = [-change for change in many_gains_one_loss]
    before = [12] * 60

    def measure(changes: list[int]) -> float:
        after = [old + change for old, change in zip(before, changes, strict=True)]
        measured = measure_change(counts(after), counts(before), NAMES[:60])
        return (measured.upper(0.01) - measured.change) / measured.spreads[0].standard_error

    symmetric = student_quantile(2.3263, 59)
    assert measure(mirrored) == pytest.approx(symmetric, rel=0.001)
    assert measure(many_gains_one_loss) > 1.2 * symmetric


def test_identical_models_leave_no_doubt_and_one_utterance_leaves_all() -> None:
    same = measure_change(counts([2]), counts([2]), ["a"])
    assert same.p_value() == 0 and same.upper(0.001) == 0 and same.p_value(-0.001) == 1
    one = measure_change(counts([1]), counts([2]), ["a"])
    assert one.p_value() == 1 and one.upper(0.05) == math.inf
    constant = measure_change(counts([1] * 7), counts([2] * 7), NAMES[:7])
    assert constant.p_value() == 0 and constant.upper(0.05) == pytest.approx(-0.1)
    with pytest.raises(ValueError, match="but there are 1 and 0"):
        measure_change(counts([1]), [], [])


def test_errors_in_silence_are_compared_too() -> None:
    silent = measure_change(counts([0, 0, 1], words=0), counts([1, 1, 1], words=0), NAMES[:3])
    assert silent.tokens == 0 and silent.change == -2


def test_the_test_keeps_its_level_on_small_sets() -> None:
    """Of models that are equal, with luck of their own, at most the level seems better."""
    rng = np.random.default_rng(5)
    seem_better = 0
    for _ in range(1000):
        words = 1 + rng.negative_binomial(2, 0.19, 52)
        rates = np.minimum(0.14 * rng.exponential(1.0, 52), 0.9)
        models = rng.binomial(words, rates, (2, 52))
        first, second = (
            [
                ErrorCount(substitutions=int(e), hits=int(n - e))
                for e, n in zip(m, words, strict=True)
            ]
            for m in models
        )
        seem_better += measure_change(first, second, NAMES[:52]).p_value() <= 0.025
    # 25 of 1,000 are expected, with a standard deviation of 5.
    assert 10 <= seem_better <= 40


def test_twice_the_distance_takes_a_quarter_of_the_speech() -> None:
    near = tokens_to_decide(1000, standard_error=0.02, distance=0.01, alpha=0.05)
    far = tokens_to_decide(1000, standard_error=0.02, distance=0.02, alpha=0.05)
    assert near == pytest.approx(4 * far)
    # (1.645 + 0.842) squared.
    assert far == pytest.approx(6183, rel=0.001)
    assert tokens_to_decide(1000, 0.001, 0.01, 0.05) == 2000
    assert tokens_to_decide(1000, 0.02, 0.0, 0.05) == math.inf
    assert tokens_to_decide(1000, math.inf, 0.01, 0.05) == math.inf
    assert round_up(math.inf) == "infinitely many" and round_up(1201) == "1,300"


def test_the_visible_gain_shrinks_with_the_root_of_the_errors() -> None:
    sight = Sight(1000, "words", error_rate=0.1)
    low, high = sight.find_gain(0.025)
    # (1.96 + 0.842) times the root of 0.4 and of 1 over 100 errors.
    assert low == pytest.approx(0.1772, rel=0.001) and high == pytest.approx(0.2802, rel=0.001)
    assert Sight(4000, "words", error_rate=0.1).find_gain(0.025)[0] == pytest.approx(low / 2)
    # As many errors in fewer words, and the words that make a gain of this size visible.
    assert Sight(500, "words", error_rate=0.2).find_gain(0.025) == (low, high)
    assert sight.find_tokens(low, 0.025)[0] == pytest.approx(1000)
    assert sight.find_tokens(high, 0.025)[1] == pytest.approx(1000)
    assert sight.find_tokens(0.0, 0.025) == (math.inf, math.inf)
    few = Sight(1000, "words", error_rate=0.1, units=5)
    # Student's quantile with 4 degrees in the place of 1.96.
    assert few.find_gain(0.025)[0] == pytest.approx(low * (2.79 + 0.842) / 2.802, rel=0.01)
