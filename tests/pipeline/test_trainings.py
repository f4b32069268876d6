"""Candidates whose weights are the mean of several trainings, anchored to the untouched weights."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import world as toy
from twister_loop import load, next_round, refine
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.artifacts import PRUNED, read_json
from twister_loop.core.manifest import Manifest
from twister_loop.errors import ConfigError
from twister_loop.pipeline.disk import estimate_disk
from twister_loop.pipeline.experiments.arms import CompareOptions, build_arms
from twister_loop.pipeline.experiments.reproduce import reproduce
from twister_loop.pipeline.forgetting import open_run, plan_removal
from twister_loop.pipeline.run_folder import PruneOptions
from twister_loop.pipeline.stage_table import find_trainings
from twister_loop.pipeline.training_steps import training_seed
from twister_loop.reporting.current_stage import find_current_stage
from twister_loop.reporting.details import details
from twister_loop.types import Checkpoint, Plan

SHIFT = 1e-7
"""Hertz by which a training of these tests moves every pitch for each unit of its seed."""


def train_by_seed(
    self: ToyRecognizer,
    start: Checkpoint,
    training_set: Manifest,
    out: Path,
    seed: int,
    early_stopping_speech: Manifest | None = None,
) -> Checkpoint:
    """Write pitches that depend on the seed, a training log and a large file."""
    codebook = {letter: pitch + SHIFT * seed for letter, pitch in self._codebook(start).items()}
    out.mkdir(parents=True, exist_ok=True)
    (out / "codebook.json").write_text(json.dumps(codebook))
    (out / "training.jsonl").write_text('{"step": 1, "epoch": 1, "loss": 2.5}\n')
    (out / "weights.bin").write_bytes(b"weights")
    return Checkpoint("toy", out)


@pytest.fixture(scope="module", autouse=True)
def seeded_trainings() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ToyRecognizer, "train", train_by_seed)
        yield


def averaged(plan: Plan, **changes: Any) -> Plan:
    return replace(plan, gates=(), **{"trainings": 2, **changes})


def pitches(folder: Path) -> dict[str, float]:
    codebook: dict[str, float] = json.loads((folder / "codebook.json").read_text())
    return codebook


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rounds of two trainings each, half-way to the untouched weights, from the champion."""
    home = tmp_path_factory.mktemp("averaged")
    world = toy.build(home)
    keys = "trainings: 2\ninterpolate: 0.5\nstart: champion\nrounds: 2\n"
    text = world.read_text().replace("gates: [no_regression, significant]", "gates: []")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("rounds:"))
    world.write_text(f"{text}\n{keys}")
    assert len(list(refine(load(world), home / "run"))) == 2
    return home / "run"


def test_the_candidate_is_the_mean_of_trainings_with_seeds_of_their_own(
    plan: Plan, tmp_path: Path
) -> None:
    done = next_round(averaged(plan, keep=PruneOptions(trainings=True)), tmp_path / "run")
    first, second = (pitches(done.folder / f"trainings/{number}") for number in (1, 2))
    assert first["a"] != second["a"]
    candidate = pitches(done.candidate.location)
    assert candidate == {letter: (first[letter] + second[letter]) / 2 for letter in first}
    seeds = [
        read_json(done.folder / f"trainings/{number}/made.json")["from"]["seed"]
        for number in (1, 2)
    ]
    note = read_json(done.folder / "plan.json")["seed"]
    assert seeds == [note, training_seed(note, 2)]


def test_the_anchor_is_the_untouched_model_in_every_round(run: Path) -> None:
    untouched = 400.0  # the letter a
    for folder in ("round-01", "round-02"):
        trained = [
            read_json(run / folder / f"trainings/{number}/made.json")["from"]["seed"] * SHIFT
            for number in (1, 2)
        ]
        start = pitches(run / "round-01/candidate")["a"] if folder == "round-02" else untouched
        expected = (start + sum(trained) / 2 + untouched) / 2
        assert pitches(run / folder / "candidate")["a"] == pytest.approx(expected)


def test_weights_of_single_trainings_are_deleted_and_their_logs_stay(run: Path) -> None:
    for training in find_trainings(run / "round-02"):
        assert (training / PRUNED).exists() and (training / "training.jsonl").is_file()
        assert not (training / "weights.bin").exists()
    names = [curve.name for curve in details(run)[0].curves]
    assert names == ["trainings/1", "trainings/2"]


def test_an_averaged_run_is_reproduced_byte_for_byte(run: Path) -> None:
    rounds = list(reproduce(run, run.with_name("again")))
    assert [round_.differing_files for round_ in rounds] == [(), ()]
    assert not any(round_.pruned_count for round_ in rounds)


def test_models_that_used_speech_are_named_through_their_trainings(run: Path) -> None:
    run_folder = open_run(run)
    with run_folder.locked():
        removal = plan_removal(run_folder, [str(run.parent / "data/pool/0.wav")], ())
    models = {model.folder: model.reasons for model in removal.request.models}
    # The weights of single trainings are deleted, so only the candidates are listed.
    assert not any("trainings" in folder for folder in models)
    assert "trained on 1 utterance of it" in models["round-01/candidate"]
    assert "trained further from the candidate of round 1" in models["round-02/candidate"]


def test_weights_of_trainings_that_used_speech_are_named_while_they_are_there(
    plan: Plan, tmp_path: Path
) -> None:
    next_round(averaged(plan, keep=PruneOptions(trainings=True)), tmp_path / "run")
    run_folder = open_run(tmp_path / "run")
    with run_folder.locked():
        removal = plan_removal(run_folder, [str(tmp_path / "data/pool/0.wav")], ())
    models = {model.folder for model in removal.request.models}
    assert {"round-01/candidate", "round-01/trainings/1", "round-01/trainings/2"} <= models


def test_an_ablation_compares_the_mean_with_one_training_of_equal_cost(world: Path) -> None:
    changes = {"asr": "whisper", "trainings": 3, "interpolate": 0.5}
    arms = build_arms(load(world, changes), CompareOptions(updates=20, ablation=True))
    updates = {name: getattr(arm.asr, "max_steps", None) for name, arm in arms.items()}
    assert updates["without averaging"] == 60
    assert {count for name, count in updates.items() if name != "without averaging"} == {20}
    assert arms["without averaging"].trainings == 1 and arms["full loop"].trainings == 3
    assert arms["without interpolation"].interpolate == 1.0
    # Arms copy weights from each other, so none may delete them.
    assert all(arm.keep.trainings for arm in arms.values())


def test_only_the_unfinished_training_is_repeated(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []

    def stop_at_the_second(self: ToyRecognizer, *args: Any, **kwargs: Any) -> Checkpoint:
        out = args[2]
        trained.append(out.name)
        if trained == [".1", ".2"]:
            raise MemoryError
        return train_by_seed(self, *args, **kwargs)

    monkeypatch.setattr(ToyRecognizer, "train", stop_at_the_second)
    with pytest.raises(MemoryError):
        next_round(averaged(plan), tmp_path / "run")
    assert not (tmp_path / "run/round-01/candidate").exists()
    progress = find_current_stage(tmp_path / "run")
    assert progress and (progress.stage, progress.unit) == ("trainings/2", "steps")
    assert next_round(averaged(plan), tmp_path / "run").number == 1
    assert trained == [".1", ".2", ".2"]


def test_an_average_that_was_killed_is_made_again_and_weights_go_only_after_it(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    average = ToyRecognizer.average_weights

    def stop(self: ToyRecognizer, *args: Any) -> Checkpoint:
        average(self, *args)
        raise MemoryError

    monkeypatch.setattr(ToyRecognizer, "average_weights", stop)
    with pytest.raises(MemoryError):
        next_round(averaged(plan), tmp_path / "run")
    folder = tmp_path / "run/round-01"
    assert not (folder / "candidate").exists()
    assert (folder / "trainings/2/weights.bin").is_file()
    monkeypatch.setattr(ToyRecognizer, "average_weights", average)
    monkeypatch.delattr(ToyRecognizer, "train")  # neither training is repeated
    assert next_round(averaged(plan), tmp_path / "run").candidate.location.is_dir()
    assert not (folder / "trainings/2/weights.bin").exists()


def test_a_candidate_that_was_deleted_is_not_averaged_from_deleted_weights(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    with monkeypatch.context() as patch:
        patch.setattr("twister_loop.pipeline.steps.RoundSteps.judge", no_verdict)
        with pytest.raises(InterruptedError):
            next_round(averaged(plan), tmp_path / "run")
    shutil.rmtree(tmp_path / "run/round-01/candidate")
    with pytest.raises(ConfigError, match=r"delete .*trainings too, to train again"):
        next_round(averaged(plan), tmp_path / "run")


def no_verdict(*args: Any, **kwargs: Any) -> None:
    raise InterruptedError


def test_what_averages_need_is_in_the_estimate_of_disk(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(self: ToyRecognizer, start: Checkpoint, trainings: int = 1) -> int:
        return 1000 * trainings

    monkeypatch.setattr(ToyRecognizer, "disk_bytes_needed", count)
    start = plan.asr.initial_checkpoint()
    once, thrice = (
        estimate_disk(replace(plan, trainings=trainings), start, texts=0, recorded=0)
        for trainings in (1, 3)
    )
    assert thrice - once == 2000


MISTAKES: Sequence[tuple[dict[str, Any], str]] = [
    ({"asr": {"use": "las"}, "trainings": 2}, "trainings: las starts from random weights"),
    ({"asr": {"use": "las"}, "interpolate": 0.5}, "interpolate: las starts from random weights"),
    ({"asr": {"use": "whisper", "interpolate": 0.5}}, "asr.interpolate: moved to the plan"),
    ({"interpolate": 0}, "interpolate: "),
    ({"trainings": 17}, "trainings: "),
    (
        {"asr": {"use": "whisper", "keep_epochs": True}, "trainings": 2},
        "asr.keep_epochs: .*keep: {trainings: true}",
    ),
]


@pytest.mark.parametrize(("changes", "message"), MISTAKES, ids=[text for _, text in MISTAKES])
def test_what_cannot_be_averaged_is_refused_when_the_plan_is_read(
    world: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        load(world, changes)
    assert len(str(refused.value).splitlines()) <= 2


def test_a_plan_that_says_nothing_trains_once_from_the_untouched_weights(world: Path) -> None:
    plan = load(world)
    assert (plan.start, plan.trainings, plan.interpolate) == ("untouched", 1, 1.0)
