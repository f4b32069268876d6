"""Shipped plans that need data of the user's, shrunk to the toy world."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests import world as toy
from twister_loop import load, refine
from twister_loop.core.manifest import Manifest

ROOT = Path(__file__).parents[2]


def shrunk(name: str, folder: Path) -> Path:
    """With the toy recognizer and a voice in its language; what is done to speech stays."""
    plan = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text())
    plan["pool"] = str(toy.speak(toy.POOL, folder / "pool", labeled=False))
    for place in ("human", "replay"):
        if place in plan:
            texts = [f"{text} {place[0]}" for text in toy.HUMAN]
            plan[place] = str(toy.speak(texts, folder / place))
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
def test_a_shipped_plan_runs_in_small(name: str, tmp_path: Path) -> None:
    plan = load(shrunk(name, tmp_path))
    rounds = list(refine(plan, tmp_path / "run"))
    assert len(rounds) == plan.rounds and all(each.verdict.accepted for each in rounds)
    mixture = list(Manifest(rounds[0].folder / "mixture"))
    assert "human" in {each.origin for each in mixture}
    if plan.voices:
        assert "synthetic" in {each.origin for each in mixture}
    if plan.pack:
        assert all(each.pieces for each in Manifest(rounds[0].folder / "packed"))
