"""Mixtures at their limits: what cannot hold together, what is asked, and single limits."""

from __future__ import annotations

import random
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twister_loop import Utterance
from twister_loop.core import schema
from twister_loop.core.manifest import Manifest
from twister_loop.data.mixture import GroupDurations, MixOptions, MixtureGroup
from twister_loop.data.mixture_limits import Limit, fill, find_conflict
from twister_loop.data.neighbors import Stretches
from twister_loop.pipeline.stages.mixture import _draw, _split_by_group, mix


def contradictions(origins: str = "human pseudo synthetic", **options: Any) -> str:
    corpora = ["calls", "talks"]
    return "; ".join(MixOptions(**options).contradictions(origins.split(), corpora))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, ""),
        ({"shares": {"human": 0.5, "pseudo": 0.4}}, ""),
        ({"shares": {"it": 0.5, "en": 0.5}}, ""),  # others may have no share
        ({"shares": {"it": 0.5, "en": 0.51}}, "those of the languages en, it add up to 101 %"),
        ({"shares": {"calls": 0.5, "talks": 0.6}}, "those of the corpora calls, talks add up to"),
        ({"shares": {"calls": 0.9, "it": 0.9, "human": 0.9}}, ""),  # three kinds of names
        ({"shares": {"replay": 0.1}}, "replay cannot have a share of 0.1, since the plan has no"),
        ({"shares": {"pseudo": 0.1}, "pseudo": 0.0}, "a share of 0.1 and a weight of 0"),
        ({"shares": {"pseudo": 0.0}, "pseudo": 0.0}, ""),
        (
            {"at_most": {"human": 0.3, "pseudo": 0.3, "synthetic": 0.3}},
            "human 30 %, pseudo 30 %, synthetic 30 %) add up to 90 %",
        ),
        ({"at_most": {"human": 0.3, "pseudo": 0.3, "synthetic": 0.4}}, ""),
        ({"at_most": {"human": 0.3, "pseudo": 0.3}, "synthetic": 0.0}, "add up to 60 %"),
        ({"at_most": {"human": 0.3, "pseudo": 0.3}, "hours": {"synthetic": 0}}, "add up to 60 %"),
        (
            {"shares": {"human": 0.5, "pseudo": 0.5}},
            "must leave something for the rest, which is synthetic speech",
        ),
        ({"shares": {"human": 0.5, "pseudo": 0.5}, "synthetic": 0.0}, ""),
    ],
)
def test_what_cannot_hold_whatever_the_amounts_are(options: dict[str, Any], message: str) -> None:
    sentences = contradictions(**options)
    assert message in sentences and bool(sentences) == bool(message)


@pytest.mark.parametrize(
    ("options", "is_refused"),
    [
        ({"shares": {"pseudo": 0.5}, "at_most": {"pseudo": 0.5}}, False),
        ({"shares": {"pseudo": 0.5}, "at_most": {"pseudo": 0.49}}, True),
        ({"shares": {"replay": 0.1}}, False),
        ({"shares": {"replay": 0.11}}, True),
        ({"shares": {"replay": 0.11}, "replay": 0.2}, False),
        ({"shares": {"speechless": 0.1}}, True),
        ({"shares": {"it": 0.1}, "hours": {"it": 0}}, True),
        ({"shares": {"it": 0.0}, "hours": {"it": 0}}, False),
        ({"shares": {"it": 0.1}, "hours": {"it": 0.1}}, False),
    ],
)
def test_a_share_above_its_own_cap_is_refused_at_once(
    options: dict[str, Any], is_refused: bool
) -> None:
    if is_refused:
        with pytest.raises(ValueError, match="cannot have a share of"):
            MixOptions(**options)
    else:
        MixOptions(**options)


@pytest.mark.parametrize(
    ("field", "accepted", "refused"),
    [
        ("pseudo", 100, 100.5),
        ("pseudo", 0, -0.5),
        ("replay", 1, 1.5),
        ("languages", {"it": 100}, {"it": 101}),
        ("temperature", {"language": 1000}, {"language": 1001}),
        ("temperature", {"language": 0.5}, {"language": 0}),
        ("shares", {"it": 0.99}, {"it": 1}),
        ("hours", {"it": 0}, {"it": -1}),
    ],
)
def test_options_are_accepted_up_to_their_range(field: str, accepted: Any, refused: Any) -> None:
    schema.parse_data(MixOptions, {field: accepted})
    with pytest.raises(ValueError, match=f"{field}.*must be a number"):
        schema.parse_data(MixOptions, {field: refused})


def test_only_speech_that_was_asked_for_is_missed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [
        Utterance(id=f"{origin}{number}", duration=4.0, text="a", origin=origin)
        for origin in ("human", "pseudo")
        for number in range(5)
    ]
    source = Manifest.write(lines, tmp_path / "labels")
    with caplog.at_level("INFO"):
        mix(MixOptions(pseudo=0.0), [source], 1, out=tmp_path / "mixture")
    mix_records = [record for record in caplog.records if record.getMessage().startswith("mix:")]
    levels = {record.getMessage().split(":")[1]: record.levelname for record in mix_records}
    assert levels == {" human": "INFO", " pseudo": "INFO"}
    caplog.clear()
    mix(MixOptions(pseudo=0.1), [source], 1, out=tmp_path / "less")
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any("nothing is taken, since its 2.0 s are shorter" in warning for warning in warnings)


def test_an_arm_without_an_origin_keeps_all_that_is_not_about_origins() -> None:
    mix = MixOptions(
        pseudo=2.0,
        shares={"synthetic": 0.8, "it": 0.5},
        at_most={"pseudo": 0.9, "calls": 0.2},
        hours={"synthetic": 3},
    )
    assert mix.without("synthetic") == MixOptions(
        pseudo=2.0,
        synthetic=0.0,
        shares={"it": 0.5},
        at_most={"calls": 0.2},
        hours={"synthetic": 3},
    )


def test_whether_anything_is_left_to_train_on() -> None:
    mix = MixOptions(pseudo=0.0, at_most={"human": 0.0}, hours={"synthetic": 0.0})
    assert not mix.keeps_any(["pseudo", "human", "synthetic"]) and not mix.keeps_any([])
    assert mix.keeps_any(["pseudo", "replay"]) and MixOptions().keeps_any(["human"])
    assert not MixOptions(replay=0.0).keeps_any(["replay"])
    assert not MixOptions().keeps_any(["speechless"]), "by default there are none"


def hours(**amounts: float) -> GroupDurations:
    return {MixtureGroup(*name.split("_")): amount for name, amount in amounts.items()}


def test_weights_multiply_and_once_is_the_most_for_replay() -> None:
    mix = MixOptions(human=2.0, languages={"it": 3.0}, corpora={"calls": 0.5})
    requested = mix.asked_durations(
        hours(human_it_calls=1, human_en_talks=1, replay_it_talks=1, pseudo_it_x=0)
    )
    assert {str(group): amount for group, amount in requested.items()} == {
        "human it calls": 3.0,
        "human en talks": 2.0,
        "replay it talks": 1.0,
    }


def test_a_temperature_keeps_the_total_and_the_proportions_within_a_level() -> None:
    available = hours(pseudo_it_a=6, pseudo_it_b=2, human_en_a=1)
    requested = list(MixOptions(temperature={"language": 3.0}).asked_durations(available).values())
    # Eight hours and one to the power of 1/3 are 2 to 1.
    assert requested == pytest.approx([4.5, 1.5, 3.0])
    corpora = MixOptions(temperature={"corpus": 2.0})
    by_corpus = corpora.asked_durations(hours(human_it_a=9, human_it_b=1))
    assert list(by_corpus.values()) == pytest.approx([7.5, 2.5])
    nothing = MixOptions(temperature={"origin": 2.0}, human=0.0)
    assert nothing.asked_durations(hours(human_it_a=4)) == hours(human_it_a=0.0)


def test_names_match_origin_language_and_corpus() -> None:
    group = MixtureGroup("pseudo", "it", "calls")
    assert [group.matches(name) for name in ("pseudo", "it", "calls", "en", "")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert str(group) == "pseudo it calls" and str(MixtureGroup("human", None, None)) == "human"


def test_a_limit_holds_up_to_its_amount_and_is_reached_there() -> None:
    half = Limit("at_most.a", (True, False, True), 0.5)
    cases = {(2.0, 6.0, 4.0): True, (2.0, 5.0, 4.0): False, (0.0, 6.0, 0.0): True}
    assert {amounts: half.holds(np.array(amounts)) for amounts in cases} == cases
    assert half.is_reached(np.array([2.0, 6.0, 4.0]))
    assert half.is_reached(np.array([3.0, 5.0, 4.0]))
    assert not half.is_reached(np.array([2.0, 7.0, 4.0]))
    hour = Limit("hours.a", (True, False), seconds=3600.0)
    assert hour.holds(np.array([3600.0, 9e9])) and not hour.holds(np.array([3601.0, 0.0]))
    assert hour.is_reached(np.array([3600.0, 0.0])) and not hour.is_reached(np.array([3599.0, 0.0]))
    assert (str(half), str(hour)) == ("at_most.a (50 %)", "hours.a (1 h)")


def test_a_conflict_names_no_limit_that_could_stay() -> None:
    first = Limit("at_most.a", (True, False, False), 0.3)
    second = Limit("at_most.b", (False, True, True), 0.6)
    third = Limit("at_most.c", (False, False, True), 0.5)
    seconds = Limit("hours.a", (True, True, True), seconds=1.0)
    assert find_conflict([third, first, seconds, second], 3) == [first, second]
    assert find_conflict([third, first, seconds], 3) == []
    exact = Limit("shares.a", (True, False, False), 0.7, is_exact=True)
    assert find_conflict([exact, first], 3) == [exact, first]
    assert find_conflict([exact, second], 3) == []
    none = Limit("shares.x", (False, False, False), 0.1, is_exact=True)
    assert find_conflict([none], 3) == [none]


def test_nothing_is_solved_where_all_limits_hold() -> None:
    requested = np.array([1.0, 3.0])
    cap = Limit("at_most.b", (False, True), 0.75)
    assert fill(requested, requested, [cap], ()) is requested
    half = fill(requested, requested, [cap._replace(share=0.5)], ())
    assert half == pytest.approx([1.0, 1.0])
    exact = Limit("shares.b", (False, True), 0.9, is_exact=True)
    repeated = fill(requested, np.array([1.0, np.inf]), [exact], {1})
    assert repeated == pytest.approx([1.0, 9.0], rel=1e-4)


def stretches(*parts: list[int]) -> Stretches:
    bounds = [0]
    for part in parts:
        bounds.append(bounds[-1] + len(part))
    return Stretches(array("q", [line for part in parts for line in part]), array("q", bounds))


def draw(parts: Stretches, wanted: float, durations: list[float]) -> list[int]:
    drawn = _draw(parts, durations, wanted, random.Random(1))
    return [line for stretch in drawn for line in stretch]


def test_whole_copies_are_drawn_first_and_never_more_than_is_wanted() -> None:
    durations, parts = [1.0, 2.0, 3.0], stretches([0, 1], [2])
    assert draw(parts, 6.0, durations) == [0, 1, 2]
    assert draw(parts, 12.0, durations) == [0, 1, 2] * 2
    assert draw(parts, 0.0, durations) == draw(parts, 0.9, durations) == []
    assert draw(parts, 1.0, durations) == [0]
    assert sorted(draw(parts, 3.0, durations)) in ([0, 1], [2])
    assert draw(stretches(), 5.0, []) == []
    for wanted in (2.5, 4.0, 5.0, 7.5, 11.0):
        assert 0 < sum(durations[line] for line in draw(parts, wanted, durations)) <= wanted
    # A stretch is taken from its beginning as far as it fits.
    assert draw(stretches([2, 0, 1]), 4.5, durations) == [2, 0]


def test_neighbors_are_those_of_the_same_group() -> None:
    previous = np.array([-1, 0, 1, 2, -1])
    before, after = _split_by_group(previous, [[0, 1, 3], [2, 4]])
    assert list(before) == [-1, 0, -1, -1, -1] and list(after) == [1, -1, -1, -1, -1]
    before, after = _split_by_group(previous, [[0, 1, 2, 3, 4]])
    assert list(before) == [-1, 0, 1, 2, -1] and list(after) == [1, 2, 3, -1, -1]
