"""Hours of the mixture: weights, temperatures, shares and caps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests import world as toy
from tests.pipeline.test_plan import changed
from twister_loop import ConfigError, LeakError, load, next_round
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import MixtureContents
from twister_loop.data.mixture import GroupDurations, MixOptions, MixtureGroup
from twister_loop.data.presets import MIXES, resolve_mixture
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


def test_a_share_without_matching_data_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    hours = at_hand(pseudo_it_calls=2)
    mix = MixOptions(shares={"synthetic": 0.8}, at_most={"pseudo": 0.5})
    assert wanted(mix, hours) == {"pseudo_it_calls": 2.0}
    assert "mix: no data matches 'synthetic'" in caplog.text


@given(
    hours=some.dictionaries(
        some.builds(
            MixtureGroup,
            some.sampled_from(["human", "pseudo", "synthetic", "replay"]),
            some.sampled_from(["it", "en", "ko", None]),
            some.sampled_from(["calls", "talks", None]),
        ),
        some.floats(1.0, 1e7),
        min_size=1,
    ),
    share=some.floats(0.01, 0.85),
    temperature=some.floats(1.0, 10.0),
)
def test_caps_hold_for_any_hours(hours: GroupDurations, share: float, temperature: float) -> None:
    mix = MixOptions(
        at_most={"synthetic": share}, replay=0.1, temperature={"language": temperature}
    )
    durations = mix.target_durations(hours)
    assert durations.keys() == hours.keys()
    whole = sum(durations.values())
    for name, most in (("synthetic", share), ("replay", 0.1)):
        total = sum(seconds for group, seconds in durations.items() if group.origin == name)
        alone = all(group.origin in ("synthetic", "replay") for group in hours)
        assert alone or total <= most * whole * 1.01 + 0.01


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
        ({"shares": {"it": 0.5, "en": 0.5}}, "mix: shares: must leave something for the rest"),
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
