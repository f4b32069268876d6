"""Shipped plans that need data of the user, run with toy data."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests import world as toy
from twister_loop import load, refine
from twister_loop.core.manifest import Manifest
from twister_loop.pipeline.forecast import make_forecast

ROOT = Path(__file__).parents[2]


def write_toy_plan(name: str, folder: Path) -> Path:
    """Write a shipped plan with the toy recognizer and a toy voice; packing and effects stay."""
    plan = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text())
    plan["pool"] = str(toy.speak(toy.POOL, folder / "pool", labeled=False))
    for key in ("human", "replay"):
        if key in plan:
            texts = [f"{text} {key[0]}" for text in toy.HUMAN]
            plan[key] = str(toy.speak(texts, folder / key))
    if "texts" in plan:
        (folder / "texts.txt").write_text("quark\nvexed judge\n")
        plan["texts"] = "texts.txt"
    for kind in ("development", "test", "retention"):
        texts = {"development": toy.DEVELOPMENT, "test": toy.TEST, "retention": toy.RETENTION}[kind]
        plan[kind] = {kind: str(toy.speak(texts, folder / kind))}
    plan |= {"asr": "toy", "language": "en", "minimum_utterances": 1, "gates": []}
    plan["trial"] = {"texts": 2, "at_most": 1.0}
    plan["filters"] = {"pseudo": ["duration"], "synthetic": ["duration"]}
    plan["voices"] = {"toy": "toy"} if "voices" in plan else {}
    plan.pop("labeler", None)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(plan))
    return path


@pytest.mark.parametrize("name", ["korean", "low_resource", "taiwanese_mandarin"])
def test_a_shipped_plan_runs_with_toy_data(name: str, tmp_path: Path) -> None:
    plan = load(write_toy_plan(name, tmp_path))
    rounds = list(refine(plan, tmp_path / "run"))
    assert len(rounds) == plan.rounds and all(done.verdict.accepted for done in rounds)
    mixture = list(Manifest(rounds[0].folder / "mixture"))
    assert "human" in {utterance.origin for utterance in mixture}
    if plan.voices:
        assert "synthetic" in {utterance.origin for utterance in mixture}
    if plan.pack:
        assert all(utterance.pieces for utterance in Manifest(rounds[0].folder / "packed"))


@pytest.mark.parametrize("name", ["telephone", "conversation", "code-switch"])
def test_a_preset_can_run_on_folders_of_its_names(name: str, tmp_path: Path) -> None:
    copy = tmp_path / "my.yaml"
    copy.write_text((ROOT / "configs" / f"{name}.yaml").read_text())
    texts = toy.POOL * 7
    for folder in ("pool", "pool-english"):
        toy.speak(texts, tmp_path / folder, labeled=False)
    for folder in ("development", "test", "english"):
        toy.speak(texts, tmp_path / folder)
    for file in ("texts.txt", "texts-english.txt"):
        (tmp_path / file).write_text("how vexingly quick\ndaft zebras jump\n")
    forecast = make_forecast(load(copy), tmp_path / "run")
    # Whether the weights of Whisper are here is no matter of the plan.
    problems = [text for text in forecast.problems if not text.startswith("asr: ")]
    assert problems == []
    assert all(amount.problem is None and amount.utterances for amount in forecast.data)
    assert len(forecast.terms) == 3


@pytest.mark.parametrize("name", ["telephone", "conversation", "code-switch"])
def test_a_preset_says_nothing_that_is_the_default(name: str) -> None:
    written = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text())
    assert not {"gates", "normalizer", "voices", "seed", "trial"} & written.keys()
