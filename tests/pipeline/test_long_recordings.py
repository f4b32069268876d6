"""Held-out sets with recordings that are too long to be one clip: a score of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from twister_loop import Manifest, Utterance
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.types import SetKind
from twister_loop.errors import ConfigError
from twister_loop.evaluation.gates._base import Gate
from twister_loop.evaluation.outcomes import find_set_hidden_from_gates, load_outcomes
from twister_loop.pipeline.held_out_check import check_held_out_sets
from twister_loop.pipeline.loop import evaluate, refine
from twister_loop.pipeline.preflight import list_held_out_sets
from twister_loop.pipeline.run_folder import RunFolder
from twister_loop.pipeline.stages.labeling import transcribe
from twister_loop.types import Checkpoint, Plan


@dataclass(frozen=True)
class ShortClips(ToyRecognizer):
    """A recognizer that decodes at most 1.65 s at once: one of the two recordings of `dev`.

    Both of `test` are longer, and both of `vowels` shorter.
    """

    longest_clip = 1.65


@pytest.fixture
def split_plan(plan: Plan) -> Plan:
    return replace(plan, asr=ShortClips())


def durations(speech: Iterable[Utterance]) -> list[float]:
    return [utterance.duration for utterance in speech]


def test_a_set_with_short_and_long_recordings_becomes_two(split_plan: Plan, tmp_path: Path) -> None:
    sets = list_held_out_sets(split_plan, tmp_path)
    lengths = {name: durations(held_out.speech) for name, held_out in sets.items()}
    assert lengths.pop("dev") == [1.6] and lengths.pop("dev-long") == [1.7]
    # What holds only one of them stays one set, under its own name.
    assert {name: len(of_set) for name, of_set in lengths.items()} == {"test": 2, "vowels": 2}
    assert sets["dev-long"].kind == "development"
    # Read again, as a round in progress is.
    again = list_held_out_sets(split_plan, tmp_path)
    assert {name: list(part.speech) for name, part in again.items()} == {
        name: list(part.speech) for name, part in sets.items()
    }


def test_another_set_of_that_name_is_refused(split_plan: Plan, tmp_path: Path) -> None:
    clashing = replace(split_plan, sets={**split_plan.sets, "dev-long": split_plan.sets["dev"]})
    with pytest.raises(ConfigError, match=r"its recordings over 2 s become the set dev-long"):
        list_held_out_sets(clashing, tmp_path)


def test_long_recordings_have_a_score_of_their_own(split_plan: Plan, tmp_path: Path) -> None:
    # Of the two recordings of the set, one is left in each part.
    strict = replace(split_plan, minimum_utterances=2)
    check_held_out_sets(strict, list_held_out_sets(strict, tmp_path / "sets"))
    RunFolder.open(tmp_path / "run")
    report = evaluate(strict, tmp_path / "run")
    utterances = {score.name: score.utterances for score in report.scores}
    assert utterances == {"dev": 1, "dev-long": 1, "test": 2, "vowels": 2}
    outcomes = load_outcomes(report, strict.normalizer)
    assert set(outcomes) == {"dev", "dev-long", "vowels"}, "gates see it"


def test_gates_count_a_single_long_recording_with_its_set(split_plan: Plan, tmp_path: Path) -> None:
    """Alone it would leave every candidate undecided that changes a word of it."""
    for smallest, seen in ((2, {"dev", "vowels"}), (1, {"dev", "dev-long", "vowels"})):
        strict = replace(split_plan, minimum_utterances=smallest)
        [result] = refine(replace(strict, rounds=1), tmp_path / f"run-{smallest}")
        assert set(result.verdict.looks or {}) == seen
    # Unless a gate is to decide on just that part.
    gates = [Gate.build({"use": "no_regression", "sets": ["dev-long"]})]
    named = replace(split_plan, minimum_utterances=2, gates=tuple(gates), rounds=1)
    [result] = refine(named, tmp_path / "named")
    assert set(result.verdict.looks or {}) == {"dev", "dev-long", "vowels"}


def test_the_long_part_does_not_hide_the_set_that_training_was_stopped_on() -> None:
    kinds: dict[str, SetKind] = {"dev": "development", "dev-long": "development"}
    assert find_set_hidden_from_gates(kinds, "dev") is None
    assert find_set_hidden_from_gates({**kinds, "other": "development"}, "dev") == "dev"


def test_what_is_too_long_for_a_label_is_no_label(split_plan: Plan, tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Counting(ShortClips):
        def transcribe(
            self, checkpoint: Checkpoint, speech: Iterable[Utterance]
        ) -> Iterator[Utterance]:
            for utterance in super().transcribe(checkpoint, speech):
                assert utterance.should_skip or utterance.duration <= 1.65
                yield utterance

    speech = list_held_out_sets(split_plan, tmp_path / "sets")
    both = [*speech["dev"].speech, *speech["dev-long"].speech]
    recognizer = Counting()
    labels = transcribe(
        recognizer,
        recognizer.initial_checkpoint(),
        Manifest.write(both, tmp_path / "pool"),
        out=tmp_path / "labels",
    )
    for label in labels:
        if label.duration > 1.65:
            assert "set scan.at_most" in (label.error or "")
        else:
            assert label.error is None
