"""The mean of the weights of several trainings, on tiny Whispers with random weights."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.asr.conftest import SPECIAL_TOKENS, TIMESTAMPS, write_tiny_whisper
from tests.asr.whisper.builders import build_trainable, build_whisper, load_model
from twister_loop.audio.augmentation import Augmentation, RandomEffect
from twister_loop.audio.effects.speed import Speed
from twister_loop.core.errors import EngineError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.pipeline.stages.training import average_weights, fine_tune
from twister_loop.pipeline.training_steps import training_seed

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def trained(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path_factory: pytest.TempPathFactory
) -> list[Checkpoint]:
    """Two trainings from one start on one training set, with other seeds and margins."""
    home = tmp_path_factory.mktemp("trainings")
    training_set = Manifest.write(clips, home / "filtered_labels")
    return [
        build_trainable(epochs=1, margins=margins).train(
            tiny_whisper, training_set, home / str(seed), seed=seed
        )
        for seed, margins in ((1, [0.2, 0.6]), (2, [0.4, 0.6]))
    ]


def read_weights(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """Return the tensors of a file as float64, shapes as in the model."""
    from safetensors.numpy import load_file

    weights = load_file(checkpoint.location / "model.safetensors")
    return {name: weight.astype(np.float64) for name, weight in weights.items()}


@pytest.mark.parametrize("interpolate", [1.0, 0.7])
def test_the_mean_of_two_trainings_is_the_mean_by_hand(
    interpolate: float, trained: list[Checkpoint], tiny_whisper: Checkpoint, tmp_path: Path
) -> None:
    mean = build_whisper().average_weights(trained, tiny_whisper, interpolate, tmp_path / "mean")
    untouched, first, second = map(read_weights, (tiny_whisper, *trained))
    averaged = read_weights(mean)
    assert averaged.keys() == first.keys()
    for name, weight in averaged.items():
        by_hand = (first[name] + second[name]) / 2
        moved = interpolate * by_hand + (1 - interpolate) * untouched[name]
        # Half a unit in the last place of float32: the sum is rounded once.
        np.testing.assert_allclose(weight, moved, rtol=2**-24, atol=1e-30)
    assert any((first[name] != second[name]).any() for name in first)


def test_the_mean_of_equal_weights_is_these_weights_byte_for_byte(
    trained: list[Checkpoint], tiny_whisper: Checkpoint, tmp_path: Path
) -> None:
    # Three: a third is no binary fraction.
    build_whisper().average_weights([trained[0]] * 3, tiny_whisper, 1.0, tmp_path / "mean")
    logs = {"training.jsonl"}
    names = {path.name for path in trained[0].location.iterdir()} - logs
    assert {path.name for path in (tmp_path / "mean").iterdir()} == names
    for name in names:
        original = (trained[0].location / name).read_bytes()
        assert (tmp_path / "mean" / name).read_bytes() == original, name


def test_the_mean_keeps_the_largest_margin_and_transcribes(
    trained: list[Checkpoint],
    tiny_whisper: Checkpoint,
    clips: list[Utterance],
    tmp_path: Path,
) -> None:
    mean = build_whisper().average_weights(trained, tiny_whisper, 1.0, tmp_path / "mean")
    assert load_model(mean).effective_margin(0) == 0.4
    transcribed = build_whisper().transcribe(mean, clips)
    assert [utterance.error for utterance in transcribed] == [None] * len(clips)


def test_the_mean_may_write_an_empty_text_if_its_trainings_learned_it(
    trained: list[Checkpoint], tiny_whisper: Checkpoint, tmp_path: Path
) -> None:
    silent = shutil.copytree(trained[0].location, tmp_path / "silent")
    learned = load_model(trained[0]).generation_config
    learned.begin_suppress_tokens = None
    learned.save_pretrained(silent)
    whisper = build_whisper()
    taught = [Checkpoint("whisper", Path(silent))] * 2
    means = [
        whisper.average_weights(checkpoints, tiny_whisper, 1.0, tmp_path / name)
        for name, checkpoints in (("silent-mean", taught), ("other-mean", trained))
    ]
    permissions = [load_model(mean).generation_config.begin_suppress_tokens for mean in means]
    assert permissions[0] is None and permissions[1]


def test_merged_adapters_are_averaged_as_weights(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    pytest.importorskip("peft")
    training_set = Manifest.write(clips, tmp_path / "filtered_labels")
    whisper = build_trainable(epochs=1, lora=2)
    trained = [
        whisper.train(tiny_whisper, training_set, tmp_path / str(seed), seed=seed)
        for seed in (1, 2)
    ]
    mean = read_weights(whisper.average_weights(trained, tiny_whisper, 1.0, tmp_path / "mean"))
    first, second = map(read_weights, trained)
    for name, weight in mean.items():
        np.testing.assert_allclose(weight, (first[name] + second[name]) / 2, rtol=2**-24)


def test_weights_of_another_size_are_no_anchor(trained: list[Checkpoint], tmp_path: Path) -> None:
    other = write_tiny_whisper(tmp_path / "other", [*SPECIAL_TOKENS, *TIMESTAMPS, "<|extra|>"])
    whisper = build_whisper()
    with pytest.raises(EngineError, match="other sizes than the untouched model"):
        whisper.average_weights(trained, other, 0.5, tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_noise_on_the_student_is_drawn_anew_in_every_training_of_an_average(
    tiny_whisper: Checkpoint,
    clips: list[Utterance],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from twister_loop.asr.whisper import dataset

    whisper = build_trainable(
        epochs=6, batch=1, margins=[0.2, 0.2], full_windows=0, spec_augment=True
    )
    training_set = Manifest.write(clips[:1], tmp_path / "mixture")
    effects = (RandomEffect(Speed(factors=(0.8, 1.25)), probability=0.5),)
    augmentation = Augmentation(effects, when="reading")
    drawn: list[tuple[int, np.ndarray]] = []
    mask_features = dataset.mask_features

    def record(features: Any, frames: Any, rng: Any) -> Any:
        masked = mask_features(features, frames, rng)
        drawn.append((frames[0], (masked == 0).numpy()))  # no feature is 0 by itself
        return masked

    monkeypatch.setattr(dataset, "mask_features", record)
    trained, drawn_by_training = [], []
    for number in (1, 2):
        drawn.clear()
        trained.append(
            fine_tune(
                whisper,
                tiny_whisper,
                training_set,
                training_seed(13, number),
                augmentation,
                out=tmp_path / str(number),
            )
        )
        drawn_by_training.append(list(drawn))
    first, second = drawn_by_training
    speeds = [[frames for frames, _ in of_training] for of_training in (first, second)]
    assert all(len(set(of_training)) > 1 for of_training in speeds) and speeds[0] != speeds[1]
    assert all(mask.any() for _, mask in (*first, *second))
    assert not any(np.array_equal(mask, other) for _, mask in first for _, other in second)
    mean = average_weights(whisper, trained, tiny_whisper, 0.5, out=tmp_path / "mean")
    [transcribed] = build_whisper().transcribe(mean, clips[:1])
    assert transcribed.error is None
