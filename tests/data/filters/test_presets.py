"""Presets of filters: their thresholds are those of their sources, and a plan can name them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from twister_loop import load
from twister_loop.core.artifacts import cache_key
from twister_loop.data import presets
from twister_loop.data.filters._base import Filter
from twister_loop.errors import ConfigError

CITED = {
    "gigaspeech2": (
        "2406.11546",
        {"duration": {"at_least": 2.0, "at_most": 30.0}, "script": {"at_most": 0.0}},
    ),
    "emilia": (
        "2407.05361",
        {
            "duration": {"at_least": 3.0, "at_most": 30.0},
            "language": {"at_least": 0.8},
            "dnsmos": {"at_least": 3.0},
            "char_rate": {"learned": True},
        },
    ),
    "granary": (
        "2505.13404",
        {
            "duration": {"at_least": 0.1, "at_most": 40.0},
            "language": {"at_least": 0.7},
            "repetition": {"unique_at_least": 0.4},
            "longest_word": {"at_most": 25},
            "hallucination": {"anywhere": False},
        },
    ),
    "distil_whisper": (
        "2311.00430",
        {"agreement": {"at_most": 0.1, "unit": "words"}, "second_decode": {"at_most": 0.1}},
    ),
    "default": (
        "OpenAI Whisper",
        {
            "compression": {"at_most": 2.4},
            "confidence": {"at_least": -1.0},
            "no_speech": {"at_most": 0.6},
        },
    ),
}


def resolve_filters(world: Path, **filters: Any) -> dict[str, list[dict[str, Any]]]:
    """Return the filters of a plan that names these, as they are recorded with a run."""
    document = {**yaml.safe_load(world.read_text()), "filters": filters}
    world.write_text(yaml.safe_dump(document))
    plan = load(world)
    return {
        "pseudo": cache_key(plan.pseudo_filters),
        "synthetic": cache_key(plan.synthetic_filters),
        "voice": cache_key(plan.voices[0].filters),
    }


@pytest.mark.model  # dnsmos brings its model
@pytest.mark.parametrize("name", CITED)
def test_a_preset_loads_with_the_thresholds_of_its_source(name: str) -> None:
    source, cited = CITED[name]
    preset = presets.FILTERS[name]
    parts = {part.name: part for part in map(Filter.build, preset.parts)}
    assert source in preset.source
    for part, options in cited.items():
        assert options.items() <= asdict(parts[part]).items()  # type: ignore[call-overload]


def test_a_plan_names_a_preset_alone_or_beside_filters(world: Path) -> None:
    specs = resolve_filters(world, pseudo="gigaspeech2", synthetic=["round_trip", "hallucination"])
    assert [spec["use"] for spec in specs["pseudo"]] == ["duration", "script"]
    assert specs["pseudo"][0]["at_least"] == 2.0
    assert [spec["use"] for spec in specs["synthetic"]] == [
        "duration",
        "agreement",
        "hallucination",
    ]


def test_a_filter_beside_a_preset_replaces_the_presets_filter_of_that_name(world: Path) -> None:
    own = {"use": "duration", "at_least": 1.0}
    specs = resolve_filters(world, pseudo=["granary", own, "confidence"])["pseudo"]
    names = "duration language repetition longest_word hallucination confidence".split()
    assert [spec["use"] for spec in specs] == names
    assert specs[0]["at_least"] == 1.0


def test_a_filter_named_twice_is_applied_twice(world: Path) -> None:
    repeated = [{"use": "script", "at_most": 0.5}, {"use": "script", "also": ["LATIN"]}]
    assert len(resolve_filters(world, pseudo=repeated)["pseudo"]) == 2


def test_a_voice_can_have_a_preset_of_its_own(world: Path) -> None:
    document = yaml.safe_load(world.read_text())
    document["voices"] = {"toy": {"use": "toy", "filters": "gigaspeech2"}}
    world.write_text(yaml.safe_dump(document))
    assert [spec["use"] for spec in resolve_filters(world)["voice"]] == ["duration", "script"]


def test_a_plan_without_filters_uses_the_default_presets(world: Path) -> None:
    specs = resolve_filters(world)
    assert [spec["use"] for spec in specs["pseudo"]] == [
        spec["use"] for spec in presets.FILTERS["default"].parts
    ]
    assert [spec["use"] for spec in specs["synthetic"]] == ["duration", "agreement"]


@pytest.mark.parametrize("place", ["pseudo", "synthetic"])
def test_an_unknown_preset_is_refused_with_the_nearest_name(world: Path, place: str) -> None:
    with pytest.raises(
        ConfigError, match=r"unknown filter or preset 'granry'; did you mean 'granary'"
    ):
        resolve_filters(world, **{place: ["granry"]})
