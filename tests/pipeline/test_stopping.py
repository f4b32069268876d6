"""The early-stopping set: training receives it, and gates do not see it."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests import world as toy
from twister_loop import load, next_round
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.artifacts import NOT_IN_CACHE_KEY, read_json
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Objection
from twister_loop.errors import ConfigError
from twister_loop.evaluation.evidence import Evidence
from twister_loop.evaluation.gates._base import Gate
from twister_loop.evaluation.gates.sane_output import SaneOutput
from twister_loop.evaluation.outcomes import find_invalid_sets, find_set_hidden_from_gates
from twister_loop.types import Plan


@dataclass(frozen=True)
class EarlyStoppingToy(ToyRecognizer):
    """A toy recognizer that records the early-stopping set that it receives."""

    stop: str | None = "watched"
    received: list[Manifest | None] = field(default_factory=list, metadata=NOT_IN_CACHE_KEY)

    @property
    def early_stopping_set(self) -> str | None:
        return self.stop

    def train(
        self,
        start: Checkpoint,
        training_set: Manifest,
        out: Path,
        seed: int,
        early_stopping_speech: Manifest | None = None,
    ) -> Checkpoint:
        self.received.append(early_stopping_speech)
        return super().train(start, training_set, out, seed)


@dataclass(frozen=True)
class RecordingGate(Gate):
    """A gate that records the names of the sets that it sees."""

    shown: list[str] = field(default_factory=list, metadata=NOT_IN_CACHE_KEY)

    def objection(self, evidence: Evidence) -> Objection | None:
        assert list(evidence.champion) == list(evidence.untouched) == list(evidence.candidate)
        self.shown.extend(evidence.candidate)
        return None


@pytest.fixture
def two_sets(world: Path) -> Plan:
    """A plan with two development sets, of which the second is for early stopping."""
    watched = toy.speak(["my ox waits", "vexed quiz"], world.parent / "data" / "watched")
    development = {"dev": "data/development", "watched": str(watched)}
    return load(world, {"development": development, "rounds": 1, "voices": {}, "gates": []})


def test_training_receives_the_early_stopping_set_and_gates_see_the_others(
    two_sets: Plan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asr, gate = EarlyStoppingToy(), RecordingGate()
    plan = replace(
        two_sets, asr=asr, labeler=replace(two_sets.labeler, recognizer=asr), gates=(gate,)
    )
    with caplog.at_level(logging.WARNING):
        done = next_round(plan, tmp_path / "run")
    [watched] = asr.received
    assert watched is not None
    assert [utterance.text for utterance in watched] == ["my ox waits", "vexed quiz"]
    assert gate.shown == ["dev", "vowels"]
    assert [score.name for score in done.report.scores] == ["dev", "watched", "test", "vowels"]
    assert "training is stopped on this set" not in caplog.text


def test_gates_see_the_early_stopping_set_with_a_warning_if_there_is_no_other(
    plan: Plan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asr, gate = EarlyStoppingToy(stop="dev"), RecordingGate()
    plan = replace(plan, asr=asr, labeler=replace(plan.labeler, recognizer=asr), gates=(gate,))
    with caplog.at_level(logging.WARNING):
        next_round(plan, tmp_path / "run")
    assert gate.shown == ["dev", "vowels"]
    assert "dev: training is stopped on this set and it is the only" in caplog.text


def test_the_content_of_the_early_stopping_set_is_in_the_cache_key(
    two_sets: Plan, tmp_path: Path
) -> None:
    asr = EarlyStoppingToy()
    plan = replace(two_sets, asr=asr, labeler=replace(two_sets.labeler, recognizer=asr))
    done = next_round(plan, tmp_path / "run")
    inputs = read_json(done.folder / "candidate" / "made.json")["from"]
    assert inputs["recognizer"]["stop"] == "watched"
    assert (
        isinstance(inputs["early_stopping_speech"], str)
        and len(inputs["early_stopping_speech"]) == 16
    )


def test_the_early_stopping_set_is_hidden_unless_it_is_the_only_development_set() -> None:
    kinds: Any = {"dev": "development", "own": "development", "test": "test"}
    assert find_set_hidden_from_gates(kinds, "own") == "own"
    assert find_set_hidden_from_gates(kinds, None) is None
    assert find_set_hidden_from_gates({"dev": "development", "test": "test"}, "dev") is None


@pytest.mark.parametrize(
    ("stop", "gate_sets", "message"),
    [
        (
            "test",
            [],
            "asr.stop.set: 'test' is a test set, but early stopping needs a development set",
        ),
        ("english", [], "asr.stop.set: 'english' is a retention set"),
        ("dve", [], "asr.stop.set: 'dve' does not exist, .* did you mean 'dev'?"),
        ("own", ["own"], "the set 'own' is the early-stopping set, which is hidden from gates"),
    ],
)
def test_invalid_early_stopping_sets_are_refused(
    stop: str, gate_sets: list[str], message: str
) -> None:
    kinds = {"dev": "development", "own": "development", "test": "test", "english": "retention"}
    sets: Any = {name: (kind, None) for name, kind in kinds.items()}
    [error] = find_invalid_sets([SaneOutput(sets=tuple(gate_sets))], sets, stop)
    assert re.search(message, error)


@pytest.mark.model
def test_a_plan_with_early_stopping_on_a_test_set_is_refused(world: Path) -> None:
    with pytest.raises(ConfigError, match=r"asr\.stop\.set: 'test' is a test set"):
        load(world, {"asr": {"use": "whisper", "stop": {"set": "test"}}})
