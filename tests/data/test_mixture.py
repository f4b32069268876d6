"""Hours of the mixture: weights, temperatures, shares and caps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tests import world as toy
from tests.pipeline.test_plan import changed
from twister_loop import load, next_round
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import MixtureContents
from twister_loop.data.mixture import GroupDurations, MixOptions, MixtureGroup
from twister_loop.data.presets import MIXES, resolve_mixture
from twister_loop.errors import ConfigError, LeakError
from twister_loop.reporting.summary import round_summary

HOUR = 3600.0


def at_hand(**hours: float) -> GroupDurations:
    """Return the seconds of groups that are named like `pseudo_it_calls=2`, for two hours."""
    return {MixtureGroup(*name.split("_")): count * HOUR for name, count in hours.items()}


def wanted(mix: MixOptions, hours: GroupDurations) -> dict[str, float]:
    durations = mix.target_durations(hours)
    return {
        "_".join(map(str, group)): round(seconds / HOUR, 3) for group, seconds in durations.items()
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 0),
        ({"speechless": 0.1}, 1),
        # No more than there is, and no weight of an origin multiplies it.
        ({"speechless": 0.9}, 4),
        ({"speechless": 0.1, "pseudo": 2}, 2),
        # Limits by language or corpus hold for it too.
        ({"speechless": 0.1, "hours": {"calls": 0}}, 0),
    ],
)
def test_clips_without_speech_are_a_share_of_all_hours(
    options: dict[str, Any], expected: float
) -> None:
    hours = at_hand(pseudo_it_talks=9, speechless_it_calls=4)
    assert wanted(MixOptions(**options), hours)["speechless_it_calls"] == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [2, 1, 6]),
        ({"pseudo": 0.5, "synthetic": 2}, [1, 0.5, 12]),
        ({"languages": {"it": 0.5}}, [1, 1, 3]),
        ({"corpora": {"calls": 3, "talks": 0}}, [6, 0, 6]),
        ({"languages": {"it": 2}, "corpora": {"calls": 2}, "pseudo": 0.5}, [4, 0.5, 12]),
        ({"hours": {"synthetic": 3}}, [2, 1, 3]),
        ({"hours": {"it": 4}}, [1, 1, 3]),
        ({"hours": {"calls": 50}}, [2, 1, 6]),
        ({"at_most": {"synthetic": 0.5}}, [2, 1, 3]),
        ({"at_most": {"synthetic": 0.9}}, [2, 1, 6]),
        ({"at_most": {"texts": 0.25, "en": 0.25}}, [2, 1, 1]),
        ({"shares": {"synthetic": 0.8}}, [2, 1, 12]),
        ({"shares": {"en": 0.5}}, [2, 8, 6]),
        ({"shares": {"synthetic": 0.5, "en": 0.25}}, [2, 2, 4]),
        ({"speechless": 0.5}, [2, 1, 6]),  # there is none
        ({"temperature": {"language": 1}}, [2, 1, 6]),
        ({"temperature": {"language": 3}}, [1.5, 3, 4.5]),
        ({"temperature": {"corpus": 1e9}}, [3, 3, 3]),
    ],
)
def test_weights_temperatures_shares_and_caps_set_the_hours(
    options: dict[str, Any], expected: list[float]
) -> None:
    hours = at_hand(pseudo_it_calls=2, pseudo_en_talks=1, synthetic_it_texts=6)
    durations = list(wanted(MixOptions(**options), hours).values())
    assert durations == pytest.approx(expected, abs=0.01)


def test_replayed_speech_is_at_most_a_tenth_and_never_taken_twice() -> None:
    hours = at_hand(pseudo_it_calls=9, replay_en_libri=20)
    assert wanted(MixOptions(), hours)["replay_en_libri"] == pytest.approx(1.0, abs=0.01)
    assert wanted(MixOptions(replay=0.5), hours)["replay_en_libri"] == pytest.approx(9.0, abs=0.01)
    assert wanted(MixOptions(human=0), hours)["replay_en_libri"] == pytest.approx(1.0, abs=0.01)
    little = at_hand(pseudo_it_calls=9, replay_en_libri=0.1)
    assert wanted(MixOptions(replay=0.5), little)["replay_en_libri"] == 0.1


def test_a_name_without_data_is_told(caplog: pytest.LogCaptureFixture) -> None:
    hours = at_hand(pseudo_it_calls=2)
    assert wanted(MixOptions(hours={"talks": 1}), hours) == {"pseudo_it_calls": 2.0}
    assert "mix: no data matches 'talks'" in caplog.text


@pytest.mark.parametrize(
    ("options", "at_hand_hours", "expected"),
    [
        # The cap holds for a share too, so there is less of what has neither.
        (
            {"hours": {"talks": 1}, "shares": {"pseudo": 0.5}},
            {"pseudo_it_talks": 20, "human_it_calls": 10},
            [1, 1],
        ),
        # ... unless other speech of the same name fills the share: 0.5 h, taken 18 times.
        (
            {"hours": {"talks": 1}, "shares": {"pseudo": 0.5}},
            {"pseudo_it_talks": 20, "pseudo_it_calls": 0.5, "human_it_calls": 10},
            [1, 9, 10],
        ),
        # Two caps in hours that share their speech.
        (
            {"hours": {"it": 3, "calls": 1}},
            {"pseudo_it_calls": 4, "pseudo_it_talks": 4, "human_en_calls": 2},
            [2 / 3, 7 / 3, 1 / 3],
        ),
        # Replayed speech is taken once: less of the rest, so that its share is not above 10 %.
        (
            {"shares": {"en": 0.05}},
            {"pseudo_it_calls": 9, "replay_en_libri": 0.1},
            [1.9, 0.1],
        ),
        ({"corpora": {"libri": 5}}, {"pseudo_it_calls": 9, "replay_en_libri": 0.2}, [9, 0.2]),
        (
            {"temperature": {"language": 100}, "replay": 0.5},
            {"pseudo_it_calls": 9, "replay_en_libri": 0.1},
            [4.652, 0.1],
        ),
        # Shares of everything: no more hours than the weights ask for.
        ({"shares": {"it": 0.5, "en": 0.5}}, {"pseudo_it_c": 3, "pseudo_en_c": 1}, [2, 2]),
        # Overlapping shares could hold at any size above this.
        (
            {"shares": {"synthetic": 0.6, "it": 0.6}},
            {"pseudo_en_c": 1, "pseudo_it_c": 1, "synthetic_it_c": 1, "synthetic_en_c": 1},
            [1, 1, 2, 1],
        ),
    ],
)
def test_caps_and_shares_hold_at_once(
    options: dict[str, Any], at_hand_hours: dict[str, float], expected: list[float]
) -> None:
    durations = wanted(MixOptions(**options), at_hand(**at_hand_hours))
    assert list(durations.values()) == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize(
    ("options", "at_hand_hours", "message"),
    [
        ({"shares": {"talks": 0.5}}, {"pseudo_it_c": 2}, "talks cannot have a share of 0.5: there"),
        (
            {"at_most": {"pseudo": 0.5}},
            {"pseudo_it_c": 2},
            r"at_most.pseudo \(50 %\) cannot hold with the speech that there is: pseudo it c; "
            "change or leave out this limit",
        ),
        (
            {"at_most": {"pseudo": 0.3, "it": 0.9}, "shares": {"human": 0.5}},
            {"pseudo_it_c": 2, "human_en_c": 2},
            r"shares.human \(50 %\) and at_most.pseudo \(30 %\) cannot hold",
        ),
        ({"shares": {"it": 0.6, "en": 0.5}}, {"pseudo_it_c": 2, "human_en_c": 2}, "cannot hold"),
        # It is replayed speech alone that has the share, and of that 10 % is the most.
        (
            {"shares": {"en": 0.5}},
            {"pseudo_it_c": 9, "replay_en_libri": 0.1},
            r"shares.en \(50 %\) and replay \(10 %\) cannot hold",
        ),
        ({}, {"replay_en_libri": 5}, r"replay \(10 %\) cannot hold"),
        (
            {"shares": {"it": 0.5}, "hours": {"c": 0}},
            {"human_it_c": 1, "pseudo_en_d": 1},
            "no such",
        ),
    ],
)
def test_limits_that_cannot_hold_together_are_named(
    options: dict[str, Any], at_hand_hours: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        MixOptions(**options).target_durations(at_hand(**at_hand_hours))


def test_a_mixture_is_told_with_the_limits_that_hold_it_down() -> None:
    mix = MixOptions(hours={"talks": 1, "calls": 30}, shares={"pseudo": 0.5}, at_most={"it": 1.0})
    durations = mix.target_durations(at_hand(pseudo_it_talks=20, human_en_calls=10))
    assert mix.reached_limits(durations) == ["shares.pseudo (50 %)", "hours.talks (1 h)"]
    free = MixOptions(hours={"talks": 30})
    assert free.reached_limits(free.target_durations(at_hand(pseudo_it_talks=20))) == []


names = some.sampled_from(["human", "pseudo", "synthetic", "it", "en", "ko", "calls", "talks"])
groups = some.dictionaries(
    some.builds(
        MixtureGroup,
        some.sampled_from(["human", "pseudo", "synthetic", "replay", "speechless"]),
        some.sampled_from(["it", "en", "ko", None]),
        some.sampled_from(["calls", "talks", None]),
    ),
    some.floats(100.0, 1e5),
    min_size=1,
    max_size=12,
)
mixes = some.fixed_dictionaries(
    {
        "pseudo": some.sampled_from([0.0, 0.5, 1.0, 3.0]),
        "replay": some.sampled_from([0.0, 0.1, 0.5]),
        "speechless": some.sampled_from([0.0, 0.02, 0.3]),
        "languages": some.dictionaries(
            some.sampled_from(["it", "en"]), some.sampled_from([0.0, 0.1, 2.0])
        ),
        "temperature": some.sampled_from([{}, {"language": 3.0}, {"origin": 1.5}]),
        "shares": some.dictionaries(names, some.floats(0.001, 0.6), max_size=3),
        "at_most": some.dictionaries(names, some.just(0.0) | some.floats(0.01, 1.0), max_size=3),
        "hours": some.dictionaries(names, some.just(0.0) | some.floats(0.01, 100.0), max_size=3),
    }
)


@settings(max_examples=50)
@given(available=groups, options=mixes)
def test_every_limit_holds_or_a_sentence_says_why_not(
    available: GroupDurations, options: dict[str, Any]
) -> None:
    try:
        mix = MixOptions(**options)
        requested, targets = mix.asked_durations(available), mix.target_durations(available)
    except (ConfigError, ValueError) as error:
        assert " cannot " in str(error)
        return
    assert targets.keys() == available.keys()
    total = sum(targets.values())

    def seconds(name: str) -> float:
        return sum(targets[group] for group in targets if group.matches(name))

    for name, share in mix.shares.items():
        assert not total or seconds(name) == pytest.approx(share * total, rel=1e-4)
    for name, share in {
        **mix.at_most, "replay": mix.replay, "speechless": mix.speechless
    }.items():  # fmt: skip
        assert seconds(name) <= share * total * (1 + 1e-4)
    for name, hours in mix.hours.items():
        assert seconds(name) <= hours * HOUR * (1 + 1e-5)
    zeros = [
        name
        for limits in (mix.shares, mix.at_most, mix.hours)
        for name, most in limits.items()
        if not most
    ]
    for group, target in targets.items():
        is_shared = any(group.matches(name) for name in mix.shares)
        if group.origin in ("replay", "speechless"):
            assert target <= available[group] * (1 + 1e-6)
        elif not is_shared:
            assert target <= requested[group] * (1 + 1e-6)
        # Nothing has 0 hours, unless the plan says 0.
        excluded = any(group.matches(name) for name in zeros)
        excluded |= not requested[group] or not {
            "replay": mix.replay,
            "speechless": mix.speechless,
        }.get(group.origin, 1)
        assert (target == 0) == excluded


def test_presets_name_their_source_and_set_their_shares() -> None:
    hours = at_hand(pseudo_it_calls=3, human_en_talks=1, synthetic_it_texts=8)
    twister = wanted(resolve_mixture("twister", human=True, synthetic=True), hours)
    assert twister["synthetic_it_texts"] / sum(twister.values()) == pytest.approx(0.85, abs=0.001)
    balanced = wanted(resolve_mixture("balanced", human=True, synthetic=True), hours)
    assert balanced["synthetic_it_texts"] / sum(balanced.values()) == pytest.approx(0.5, abs=0.001)
    assert "2506.11130" in MIXES["twister"][0] and "2305.16333" in MIXES["balanced"][0]
    own = resolve_mixture({"preset": "balanced", "pseudo": 2}, human=False, synthetic=True)
    assert own == MixOptions(pseudo=2, at_most={"synthetic": 0.5})


@pytest.mark.parametrize(
    ("mix", "message"),
    [
        ("twistre", "mix: unknown mixture 'twistre'; did you mean 'twister'"),
        ({"human": 0, "pseudo": 0, "synthetic": 0}, "mix: weights that sum to zero leave nothing"),
        ({"human": 0, "pseudo": 0, "hours": {"synthetic": 0}}, "mix: weights that sum to zero"),
        ({"pseudo": -1}, "mix.pseudo: must be a number from 0"),
        ({"languages": {"it": -1}}, "mix.languages.it: must be a number from 0"),
        ({"shares": {"it": 1}}, "mix.shares.it: must be a number from 0 to below 1"),
        (
            {"shares": {"it": 0.6, "en": 0.5}},
            "mix: shares: those of the languages en, it add up to",
        ),
        (
            {"shares": {"pseudo": 0.5, "human": 0.5}},
            "mix: shares: must leave something for the rest, which is synthetic speech",
        ),
        (
            {"shares": {"pseudo": 0.5, "human": 0.6}},
            "mix: shares: those of the origins human, pseudo add up to 110 %",
        ),
        (
            {"shares": {"pool": 0.6, "texts": 0.5}},
            "mix: shares: those of the corpora pool, texts add up to 110 %",
        ),
        (
            {"shares": {"replay": 0.05}},
            "mix: shares: replay cannot have a share of 0.05, since the",
        ),
        (
            {"shares": {"replay": 0.2}},
            "mix: shares, replay: replay cannot have a share of 0.2 and be at most 0.1",
        ),
        (
            {"shares": {"it": 0.5}, "at_most": {"it": 0.4}},
            "mix: shares, at_most: it cannot have a share of 0.5 and be at most 0.4",
        ),
        (
            {"shares": {"it": 0.5}, "hours": {"it": 0}},
            "mix: shares, hours: it cannot have a share of 0.5 and 0 hours",
        ),
        (
            {"shares": {"human": 0.5}, "human": 0},
            "mix: shares: human cannot have a share of 0.5 and a weight of 0",
        ),
        (
            {"shares": {"pseudo": 0.3}, "at_most": {"human": 0.2, "synthetic": 0.2}},
            "the largest shares (pseudo 30 %, human 20 %, synthetic 20 %) add up to 70 %",
        ),
        ({"at_most": {"it": 2}}, "mix.at_most.it: must be a number from 0 to 1"),
        ({"temperature": {"language": 0}}, "mix.temperature.language: must be a number above 0"),
        (
            {"temperature": {"lang": 2}},
            "must be one of: 'origin', 'language', 'corpus'",
        ),
        ({"weight": 1}, "weight: unknown"),
    ],
)
def test_an_invalid_mixture_is_refused_when_the_plan_is_read(
    world: Path, mix: Any, message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        load(changed(world, mix=mix))
    assert message in str(error.value)


@pytest.mark.parametrize(
    "mix",
    [
        {"shares": {"pseudo": 0.5, "human": 0.5}, "synthetic": 0},
        {"shares": {"pool": 0.5, "texts": 0.5}},
        {"shares": {"synthetic": 0.9, "it": 0.9}},
        {"at_most": {"pseudo": 0.3, "human": 0.3, "synthetic": 0.4}},
        {"shares": {"it": 0.5}, "at_most": {"it": 0.5}},
    ],
)
def test_limits_that_can_hold_are_accepted(world: Path, mix: Any) -> None:
    assert load(changed(world, mix=mix)).mix.shares == mix.get("shares", {})


def test_a_mixture_that_leaves_nothing_is_refused(world: Path) -> None:
    with pytest.raises(ConfigError, match="leave nothing of pseudo speech"):
        load(changed(world, mix={"pseudo": 0}, voices={}, human=[]))


def test_another_language_is_replayed_and_reported(world: Path, tmp_path: Path) -> None:
    texts = ["o uia aio", "ie ie oua", "uo aia e io"]
    toy.speak(texts, tmp_path / "data" / "vowels")
    replay = {"use": "audiofolder", "folder": "data/vowels", "lang": "it"}
    plan = load(changed(world, replay=[replay], mix={"replay": 0.5}))
    done = next_round(plan, tmp_path / "run")
    mixed = list(Manifest(done.folder / "mixture"))
    assert {utterance.text for utterance in mixed if utterance.corpus == "vowels"} <= set(texts)
    parts = {
        (source.origin, source.lang, source.corpus): source
        for source in round_summary(done.folder).mixture_sources
    }
    assert parts == {
        (source.origin, source.lang, source.corpus): source
        for source in MixtureContents.load(done.folder / "mixture").sources
    }
    replayed = parts["replay", "it", "vowels"]
    assert replayed.available.utterances == 3 and replayed.taken.utterances > 0
    assert {"human", "pool", "texts"} <= {corpus for _, _, corpus in parts}
    filtered_labels = Manifest(done.folder / "filtered_labels")
    assert not {label.text for label in filtered_labels} & set(texts)


def test_replayed_speech_must_not_be_held_out(world: Path, tmp_path: Path) -> None:
    plan = load(changed(world, replay="data/retention"))
    with pytest.raises(LeakError, match="are also in replay"):
        next_round(plan, tmp_path / "run")


def test_replayed_speech_must_have_texts(world: Path, tmp_path: Path) -> None:
    toy.speak(["aia"], tmp_path / "data" / "silent", labeled=False)
    plan = load(changed(world, replay="data/silent"))
    with pytest.raises(
        ConfigError, match=r"replay: none of 1 recordings has a transcript; .*needs a metadata.csv"
    ):
        next_round(plan, tmp_path / "run")
