"""Fine-tuning of Whisper on tiny random weights: results, resuming, several processes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import processes
from tests.asr.whisper.builders import (
    build_trainable,
    build_whisper,
    load_model,
    read_json_lines,
)
from twister_loop.core.errors import ConfigError, EngineError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model


@pytest.fixture
def training_set(clips: list[Utterance], tmp_path: Path) -> Manifest:
    return Manifest.write(clips, tmp_path / "filtered_labels")


def test_training_lowers_the_loss_and_writes_a_model_that_transcribes(
    tiny_whisper: Checkpoint, clips: list[Utterance], training_set: Manifest, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    trained = build_trainable(epochs=6).train(tiny_whisper, training_set, out, seed=1)
    lines = read_json_lines(out / "training.jsonl")
    assert [line["step"] for line in lines] == list(range(1, 37))
    assert lines[-1]["loss"] < 0.9 * lines[0]["loss"]
    assert not (out / "resume").exists()
    assert trained == Checkpoint("whisper", out)
    transcribed = build_whisper().transcribe(trained, clips)
    assert [utterance.error for utterance in transcribed] == [None] * len(clips)


@pytest.mark.parametrize(("timestamps", "decoding"), [(0.0, "clip"), (1.0, "sequential")])
def test_training_on_clips_without_speech_teaches_to_stay_silent(
    timestamps: float,
    decoding: str,
    tiny_whisper: Checkpoint,
    clips: list[Utterance],
    tmp_path: Path,
) -> None:
    silent = [replace(clip, text="", speechless=True) for clip in clips[:2]]
    training_set = Manifest.write(silent, tmp_path / "mixture")
    recognizer = build_trainable(epochs=40, timestamps=timestamps, learning_rate=0.02)
    trained = recognizer.train(tiny_whisper, training_set, tmp_path / "out", seed=1)
    before, after = (
        [line.pred_text for line in build_whisper(decoding=decoding).transcribe(weights, silent)]
        for weights in (tiny_whisper, trained)
    )
    assert all(before) and not any(after)


def test_a_trained_model_stores_its_smallest_margin(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    training_set = Manifest.write(clips[:2], tmp_path / "filtered_labels")
    recognizer = build_trainable(max_steps=1)
    trained = recognizer.train(tiny_whisper, training_set, tmp_path / "out", seed=1)
    margins = [
        load_model(checkpoint).effective_margin(0.1) for checkpoint in (tiny_whisper, trained)
    ]
    assert margins == [5.0, 0.2]


@pytest.mark.parametrize(
    "options",
    [
        {"spec_augment": True},
        {"average": 8, "accumulate": 2},
        {"lora": 2},
        {"max_steps": 16, "stop": {"set": "dev", "every": 5, "patience": 20}},
    ],
)
def test_training_killed_and_resumed_gives_the_same_bytes(
    tiny_whisper: Checkpoint,
    clips: list[Utterance],
    training_set: Manifest,
    tmp_path: Path,
    options: dict[str, Any],
) -> None:
    recognizer = build_trainable(epochs=12, save_every=4, **options)
    early_stopping_speech = Manifest.write(clips[:1], tmp_path / "dev")
    recognizer.train(tiny_whisper, training_set, tmp_path / "whole", 3, early_stopping_speech)
    killed = tmp_path / "killed"
    process = processes.start(
        recognizer.train, tiny_whisper, training_set, killed, 3, early_stopping_speech
    )
    processes.kill_after_lines(process, killed / "training.jsonl", 7)
    assert (killed / "resume").is_dir()
    assert not (killed / "model.safetensors").exists()
    recognizer.train(tiny_whisper, training_set, killed, 3, early_stopping_speech)
    evaluations = ["stopping.jsonl"] if recognizer.early_stopping_set else []
    for name in ("model.safetensors", "training.jsonl", "config.json", *evaluations):
        assert (killed / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_small_set_is_trained_on_in_more_than_one_epoch(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    # Batches of 2: an epoch of 20 clips is 10 updates, and four are as many as the default takes.
    repeated = [replace(clips[n % len(clips)], id=f"clip-{n}") for n in range(20)]
    training_set = Manifest.write(repeated, tmp_path / "filtered_labels")
    build_trainable(epochs=None).train(tiny_whisper, training_set, tmp_path / "out", seed=3)
    assert len(read_json_lines(tmp_path / "out/training.jsonl")) == 40


def test_an_average_of_epochs_needs_their_number() -> None:
    with pytest.raises(ConfigError, match=r"say how many there are in all \(`epochs`\)"):
        build_trainable(epochs=None, average=2)


def test_the_weights_of_every_epoch_can_be_kept_and_are_those_that_are_averaged(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file

    training_set = Manifest.write(clips[:4], tmp_path / "filtered_labels")
    recognizer = build_trainable(epochs=2, average=2).keeping_all_epochs()
    trained = recognizer.train(tiny_whisper, training_set, tmp_path / "out", seed=3)
    folders = sorted(trained.location.glob("epoch-*"))
    assert [folder.name for folder in folders] == ["epoch-01", "epoch-02"]
    first, second = (load_file(folder / "model.safetensors") for folder in folders)
    for name, mean in load_file(trained.location / "model.safetensors").items():
        assert torch.allclose(mean, (first[name] + second[name]) / 2, atol=1e-6)
    [utterance] = recognizer.transcribe(replace(trained, location=folders[0]), clips[:1])
    assert utterance.pred_text is not None and not utterance.error


def test_two_processes_train_like_one_that_accumulates_their_batches(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    """Ten clips are five batches: in the last step of an epoch the second process has none."""
    import torch
    from safetensors.torch import load_file

    training_set = Manifest.write(clips[:10], tmp_path / "filtered_labels")
    early_stopping_speech = Manifest.write(clips[10:], tmp_path / "dev")
    logs, weights, evaluations = [], [], []
    for count in (1, 2):
        out = tmp_path / f"by-{count}"
        recognizer = build_trainable(epochs=2, accumulate=2, processes=count, stop={"set": "dev"})
        recognizer.train(tiny_whisper, training_set, out, 3, early_stopping_speech)
        evaluations.append(read_json_lines(out / "stopping.jsonl"))
        logs.append(read_json_lines(out / "training.jsonl"))
        weights.append(load_file(out / "model.safetensors"))
        assert not (out / "resume").exists()
    by_one, by_two = evaluations
    assert [(line["step"], line["of"]) for line in by_two] == [
        (3, by_one[0]["of"]),
        (6, by_one[0]["of"]),
    ]
    by_one, by_two = logs
    assert [line["step"] for line in by_two] == [1, 2, 3, 4, 5, 6]
    losses = [line["loss"] for line in by_one]
    assert [line["loss"] for line in by_two] == pytest.approx(losses, abs=1e-4)
    initial = load_file(tiny_whisper.location / "model.safetensors")
    for name, weight in weights[0].items():
        torch.testing.assert_close(weights[1][name], weight, atol=1e-4, rtol=0)
        is_trained = not name.endswith("encoder.embed_positions.weight")
        assert not is_trained or not weight.equal(initial[name])


def test_processes_that_fail_raise_one_error(tiny_whisper: Checkpoint, tmp_path: Path) -> None:
    empty = Manifest.write([], tmp_path / "filtered_labels")
    recognizer = build_trainable(processes=2, accumulate=2)
    with pytest.raises(
        EngineError, match=r"training in 2 processes failed .*; see their messages above"
    ):
        recognizer.train(tiny_whisper, empty, tmp_path / "out", seed=1)


def test_a_loss_that_is_not_finite_stops_training_with_advice(
    tiny_whisper: Checkpoint, training_set: Manifest, tmp_path: Path
) -> None:
    # Beyond what a plan may say, so that the loss overflows at once.
    stable = build_trainable(margins=[0.2, 0.3], clip=1e30, epochs=4)
    recognizer = replace(stable, learning_rate=1e30)
    with pytest.raises(EngineError, match=r"at step \d+; lower `learning_rate`"):
        recognizer.train(tiny_whisper, training_set, tmp_path / "out", seed=1)
    assert not (tmp_path / "out/model.safetensors").exists()


def test_a_frozen_encoder_does_not_change(
    tiny_whisper: Checkpoint, training_set: Manifest, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    recognizer = build_trainable(freeze_encoder=True)
    recognizer.train(tiny_whisper, training_set, tmp_path / "out", seed=1)
    before = load_file(tiny_whisper.location / "model.safetensors")
    after = load_file(tmp_path / "out/model.safetensors")
    changed = {name.split(".")[1] for name in before if not before[name].equal(after[name])}
    assert changed == {"decoder"}


def test_adapters_are_trained_instead_of_the_weights_and_merged_at_the_end(
    tiny_whisper: Checkpoint, clips: list[Utterance], training_set: Manifest, tmp_path: Path
) -> None:
    pytest.importorskip("peft")
    from safetensors.torch import load_file

    recognizer = build_trainable(lora=4, epochs=4, precision="bfloat16")
    trained = recognizer.train(tiny_whisper, training_set, tmp_path / "out", seed=1)
    lines = read_json_lines(trained.location / "training.jsonl")
    assert lines[-1]["loss"] < lines[0]["loss"]
    before = load_file(tiny_whisper.location / "model.safetensors")
    after = load_file(trained.location / "model.safetensors")
    assert after.keys() == before.keys()
    changed = {name for name in before if not before[name].equal(after[name])}
    assert changed and all(".q_proj." in name or ".v_proj." in name for name in changed)
    transcribed = recognizer.transcribe(trained, clips)
    assert [utterance.error for utterance in transcribed] == [None] * len(clips)


def test_activation_checkpointing_does_not_change_the_losses(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    training_set = Manifest.write(clips[:4], tmp_path / "filtered_labels")
    losses = []
    for checkpointing in (False, True):
        recognizer = build_trainable(epochs=1, checkpointing=checkpointing)
        recognizer.train(tiny_whisper, training_set, out := tmp_path / str(checkpointing), seed=1)
        losses.append([line["loss"] for line in read_json_lines(out / "training.jsonl")])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
