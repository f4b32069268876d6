"""Gates right at their bounds, over many looks, and with few speakers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from tests.evaluation.test_gates import (
    BETTER,
    SAME,
    WORSE,
    counts_of,
    evidence,
    gate,
    outcome,
    size,
)
from twister_loop.core.types import SetKind
from twister_loop.evaluation.evidence import Evidence, Outcome
from twister_loop.evaluation.looks import level_at_look
from twister_loop.evaluation.paired_test import measure_change
from twister_loop.types import ErrorCount

TWO_OF_HUNDRED, THREE_OF_HUNDRED = [counts_of(2, 100)] * 40, [counts_of(3, 100)] * 40
NOISY = [counts_of(2 + (n % 5 == 0) - (n % 3 == 0), 10) for n in range(60)]
"""A little better than SAME, on some utterances only."""


def several(counts: list[ErrorCount], *names: str, kind: SetKind = "development") -> dict[str, Any]:
    return {name: outcome(counts, kind, name) for name in names}


def p_value_of(candidate: list[ErrorCount], limit: float) -> float:
    return measure_change(candidate, SAME, [str(n) for n in range(60)]).p_value(limit)


@pytest.mark.parametrize("use", ["no_regression", "retention", "best_untouched"])
def test_a_rise_of_exactly_the_limit_is_accepted_and_a_larger_one_got_worse(use: str) -> None:
    at_limit = evidence(TWO_OF_HUNDRED, THREE_OF_HUNDRED)
    assert gate(use, at_most=0.01).objection(at_limit) is None
    objection = gate(use, at_most=0.0099).objection(at_limit)
    assert objection and not objection.undecided and "so it got worse" in objection.reason


def test_a_doubtful_change_of_exactly_the_limit_got_worse() -> None:
    doubtful = [counts_of(3 + (-1) ** n, 100) for n in range(40)]
    at_limit = gate("no_regression").objection(evidence(TWO_OF_HUNDRED, doubtful))
    assert at_limit and not at_limit.undecided
    below = gate("no_regression").objection(
        evidence(TWO_OF_HUNDRED, [counts_of(3, 100), *doubtful[1:]])
    )
    assert below and below.undecided


def test_the_level_of_one_set_is_the_plain_one() -> None:
    p_value = p_value_of(NOISY, limit=0.01)
    assert 0 < p_value < 0.5
    compared = evidence(SAME, NOISY)
    assert gate("no_regression", level=1 - 1.001 * p_value).objection(compared) is None
    assert gate("no_regression", level=1 - 0.999 * p_value).objection(compared)


def test_of_several_sets_the_clearest_is_tested_at_the_strictest_level() -> None:
    """Holm: of three sets the clearest has a third of the error, the next a half, the last all."""
    p_value = p_value_of(NOISY, limit=0.01)
    before = several(SAME, "a", "b", "c")
    all_alike = Evidence(before, before, several(NOISY, "a", "b", "c"))
    assert gate("no_regression", level=1 - 3.003 * p_value).objection(all_alike) is None
    assert gate("no_regression", level=1 - 2.997 * p_value).objection(all_alike)
    # Beside two clear sets the last one has the whole error for itself.
    after = {**several(SAME, "a", "b"), **several(NOISY, "c")}
    alone = Evidence(before, before, after)
    assert gate("no_regression", level=1 - 1.001 * p_value).objection(alone) is None
    refused = gate("no_regression", level=1 - 0.999 * p_value).objection(alone)
    assert refused and refused.reason.startswith("c: ") and ";" not in refused.reason
    # The first of two sets that are not clear has half of it.
    after = {**several(SAME, "a"), **several(NOISY, "b", "c")}
    two = Evidence(before, before, after)
    assert gate("no_regression", level=1 - 2.002 * p_value).objection(two) is None
    assert gate("no_regression", level=1 - 1.998 * p_value).objection(two)


@pytest.mark.parametrize(
    "options", [{}, {"relative": True}, {"level": 0.999}, {"at_most": 0.0}, {"at_most": 0.001}]
)
@pytest.mark.parametrize("counts", [SAME, [counts_of(0, 10)] * 60, [counts_of(2, 10)]])
def test_an_identical_candidate_passes(options: dict[str, Any], counts: list[ErrorCount]) -> None:
    before = several(counts, "a", "b", "c")
    for use in ("no_regression", "retention", "best_untouched"):
        assert gate(use, **options).objection(Evidence(before, before, before)) is None


def test_one_utterance_decides_nothing_that_is_not_identical() -> None:
    objection = gate("no_regression").objection(evidence([counts_of(3, 10)], [counts_of(2, 10)]))
    assert objection and objection.undecided and "has one utterance" in objection.reason


def test_no_change_is_no_gain() -> None:
    shifted = [*BETTER[:30], *WORSE[30:]]
    objection = gate("significant").objection(evidence(SAME, shifted))
    assert objection and not objection.undecided and objection.reason.startswith("no gain")
    one_less = [*shifted[:-1], counts_of(2, 10)]
    objection = gate("significant").objection(evidence(SAME, one_less))
    assert objection and objection.undecided and "may be due to chance" in objection.reason


def test_a_gain_may_use_three_fifths_of_the_error_at_the_first_look() -> None:
    p_value = p_value_of(NOISY, limit=0.0)
    compared = evidence(SAME, NOISY)
    share = 6 / math.pi**2
    assert gate("significant", level=1 - 1.001 * p_value / share).objection(compared) is None
    assert gate("significant", level=1 - 0.999 * p_value / share).objection(compared)


def test_later_looks_need_more() -> None:
    # A little better than SAME, and so clearly that a small share of the error is enough.
    clear = [counts_of(2 - (n % 4 == 0), 10) for n in range(60)]
    p_value = p_value_of(clear, limit=0.0)
    third = replace(evidence(SAME, clear), looks={"dev": 3, "another": 9})
    share = 6 / (math.pi * 3) ** 2
    passing, refusing = 1 - 1.001 * p_value / share, 1 - 0.999 * p_value / share
    assert gate("significant", level=passing).objection(third) is None
    objection = gate("significant", level=refusing).objection(third)
    assert objection and objection.undecided and "(look 3 at these sets)" in objection.reason
    # Looks at standard decoding are looks at the same set.
    both = replace(third, standard=evidence(SAME, clear))
    assert gate("significant", level=refusing, decoding="standard").objection(both)
    assert gate("significant", level=passing, decoding="standard").objection(both) is None


def test_the_errors_of_all_looks_together_are_at_most_the_permitted_one() -> None:
    spent = [1 - level_at_look(0.95, look) for look in range(1, 1001)]
    assert 0.049 < sum(spent) < 0.05 and spent == sorted(spent, reverse=True)


def test_a_gain_over_the_champion_that_is_none_over_untouched_is_refused() -> None:
    """Rounds that each seem better than the last can only bring back what was lost."""
    before, lost = {"dev": outcome(SAME)}, {"dev": outcome(WORSE)}
    back = Evidence(before, lost, {"dev": outcome(SAME)})
    objection = gate("significant").objection(back)
    assert objection and "no gain against the untouched model" in objection.reason
    assert "champion" not in objection.reason
    # Nor is one over untouched enough that is none over the champion.
    stays = Evidence(before, {"dev": outcome(BETTER)}, {"dev": outcome(BETTER)})
    objection = gate("significant").objection(stays)
    assert objection and objection.reason.startswith("no gain against the champion")
    assert not objection.undecided


def test_the_level_against_the_champion_is_the_plain_one_at_every_look() -> None:
    p_value = p_value_of(NOISY, limit=0.0)
    champion, untouched = {"dev": outcome(SAME)}, {"dev": outcome(WORSE)}
    tenth = Evidence(untouched, champion, {"dev": outcome(NOISY)}, looks={"dev": 10})
    assert gate("significant", level=1 - 1.001 * p_value).objection(tenth) is None
    objection = gate("significant", level=1 - 0.999 * p_value).objection(tenth)
    assert objection and "against the champion" in objection.reason
    assert "look" not in objection.reason


def test_slow_drift_of_a_development_set_is_seen_from_the_untouched_model() -> None:
    """Each round loses less than the limit on one set, while the sum of the sets gains."""

    def sets(first: int, second: int) -> dict[str, Outcome]:
        return {
            "calls": outcome([counts_of(first, 1000)] * 40, name="calls"),
            "radio": outcome([counts_of(second, 1000)] * 40, name="radio"),
        }

    third_round = Evidence(sets(140, 140), sets(110, 152), sets(90, 158))
    assert gate("significant").objection(third_round) is None
    assert gate("no_regression").objection(third_round) is None
    objection = gate("retention").objection(third_round)
    assert objection and objection.reason.startswith("radio: error rate +1.80 points")


def test_few_speakers_need_to_agree() -> None:
    """Four of five speakers got better: by utterances this is clear, by speakers it is not."""
    candidate = [counts_of(1 if n % 5 < 4 else 3, 10) for n in range(250)]
    before = {"dev": outcome([counts_of(2, 10)] * 250)}
    by_utterance = Evidence(before, before, {"dev": outcome(candidate)})
    assert gate("significant").objection(by_utterance) is None
    groups = [str(n % 5) for n in range(250)]
    by_speaker = replace(by_utterance, candidate={"dev": outcome(candidate, groups=groups)})
    objection = gate("significant").objection(by_speaker)
    assert objection and objection.undecided and "from 5 speakers" in objection.reason
    objection = gate("no_regression").objection(by_speaker)
    assert objection and "undecided from 5 speakers" in objection.reason
    # Two sets may use one name for different speakers.
    both = {name: outcome(candidate, name=name, groups=groups) for name in ("a", "b")}
    pooled = Evidence(both, both, both).pool_development_counts()
    assert len(set(pooled.groups)) == 10 and pooled.resampling_unit == "speakers"


def test_speakers_that_are_alike_do_not_hide_the_doubt_of_utterances() -> None:
    candidate = [counts_of(1 if n % 4 else 3, 10) for n in range(40)]
    speakers = [str(n // 4) for n in range(40)]
    change = measure_change(candidate, [counts_of(2, 10)] * 40, speakers, "speakers")
    by_unit = {spread.unit: spread for spread in change.spreads}
    assert by_unit["speakers"].standard_error == 0 < by_unit["utterances"].standard_error
    assert change.widest(0.05).unit == "utterances" and change.upper(0.05) > change.change


@pytest.mark.parametrize(("seconds", "is_refused"), [(3.0, False), (3.01, True)])
@pytest.mark.parametrize("fast", ["champion", "untouched"])
def test_decoding_may_take_exactly_the_limit_of_either_model(
    seconds: float, is_refused: bool, fast: str
) -> None:
    quick, timed = ({"dev": outcome(SAME, seconds=time)} for time in (2.0, seconds))
    models = {"champion": timed, "untouched": timed} | {fast: quick}
    compared = Evidence(**models, candidate=timed)
    assert bool(gate("speed", at_most=1.5).objection(compared)) == is_refused


def test_the_visible_gain_is_told_for_the_first_and_a_later_round() -> None:
    sentences = list(gate("significant").describe_sight({"dev": size(5000, seconds=3600.0)}))
    assert sentences == [
        "development sets: 5000 words with about 500 errors of the untouched model if its error "
        "rate is 10%: in round 1 a true gain of 8% to 12% of them is found in 80% of cases; in "
        "round 10 a true gain of 12% to 19% of them is found in 80% of cases",
        "to find a gain of 5% of the errors in round 1 takes 12,000 to 30,000 words (2.4 to 5.9 h) "
        "of held-out speech; 10% of the errors: 3,000 to 7,400 words (0.6 to 1.5 h); 20% of the "
        "errors: 740 to 1,900 words (0.1 to 0.4 h)",
    ]


def test_a_measured_error_rate_takes_the_place_of_the_assumed_one() -> None:
    measured = size(5000, error_rates={"clip": {"words": 0.2}})
    [visible, _] = gate("significant").describe_sight({"dev": measured})
    assert "about 1000 errors of the untouched model: in round 1 a true gain of 5% to 9%" in visible


def test_few_speakers_are_told_beforehand() -> None:
    five, one = size(5000, speakers=5, units=5), size(5000, speakers=1, units=500)
    visible, _, note = gate("significant").describe_sight({"dev": five})
    assert "10% to 15%" in visible and "31% to 50%" in visible and "dev: 5 speakers" in note
    *_, note = gate("significant").describe_sight({"dev": one})
    assert "for this voice and for no other" in note
    assert len(list(gate("significant").describe_sight({"dev": size(5000, speakers=10)}))) == 2
    # Gates without development sets have nothing to tell.
    assert not list(gate("significant").describe_sight({"en": size(100, kind="retention")}))
