"""Early stopping of Whisper's training on a development set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.asr.whisper.builders import build_trainable, read_json_lines
from twister_loop.asr._base import Recognizer
from twister_loop.asr.whisper.options import EarlyStoppingOptions, WhisperOptions
from twister_loop.core.errors import ConfigError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.evaluation import metrics

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model


def build_stopping(patience: int = 3, every: int | None = None, **options: Any) -> Recognizer:
    stop = {"set": "dev", "patience": patience, "every": every}
    return build_trainable(**{"batch": 4, "stop": stop, **options})


@pytest.fixture
def training_set(clips: list[Utterance], tmp_path: Path) -> Manifest:
    return Manifest.write(clips[:8], tmp_path / "filtered_labels")


@pytest.fixture
def dev(clips: list[Utterance], tmp_path: Path) -> Manifest:
    return Manifest.write(clips[8:], tmp_path / "dev")


@pytest.fixture
def wrong_clips(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Number of clips with an empty transcript in each evaluation, whatever the weights."""
    counts: list[int] = []

    def transcribe(
        options: object, whisper: object, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        count = counts.pop(0)
        for index, utterance in enumerate(speech):
            yield replace(utterance, pred_text="" if index < count else utterance.text)

    monkeypatch.setattr("twister_loop.asr.whisper.transcription.transcribe", transcribe)
    return counts


def test_the_best_weights_are_kept_and_training_ends_without_improvement(
    tiny_whisper: Checkpoint,
    training_set: Manifest,
    dev: Manifest,
    wrong_clips: list[int],
    tmp_path: Path,
) -> None:
    wrong_clips += [4, 2, 3, 2, 0]
    recognizer = build_stopping(epochs=9, patience=2, keep_epochs=True)
    trained = recognizer.train(tiny_whisper, training_set, out := tmp_path / "out", 1, dev)
    assert [line["epoch"] for line in read_json_lines(out / "stopping.jsonl")] == [1, 2, 3, 4]
    last_epoch = read_json_lines(out / "training.jsonl")[-1]["epoch"]
    assert last_epoch == 4, "an equal number of errors is no improvement"
    kept, best, last = (
        (folder / "model.safetensors").read_bytes()
        for folder in (trained.location, out / "epoch-02", out / "epoch-04")
    )
    assert kept == best != last
    assert not (out / "resume").exists()


def test_evaluations_can_be_a_number_of_steps_apart_and_one_is_at_the_end(
    tiny_whisper: Checkpoint,
    training_set: Manifest,
    dev: Manifest,
    wrong_clips: list[int],
    tmp_path: Path,
) -> None:
    wrong_clips += [3, 2, 1]
    recognizer = build_stopping(batch=2, epochs=2, max_steps=7, every=3)
    recognizer.train(tiny_whisper, training_set, out := tmp_path / "out", 1, dev)
    assert [line["step"] for line in read_json_lines(out / "stopping.jsonl")] == [3, 6, 7]


def test_a_training_killed_after_its_last_step_takes_no_more_steps(
    tiny_whisper: Checkpoint,
    training_set: Manifest,
    dev: Manifest,
    wrong_clips: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from twister_loop.asr._training.trainer import Trainer

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    wrong_clips += [1, 2]
    recognizer, out = build_stopping(epochs=9, patience=1), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "finish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            recognizer.train(tiny_whisper, training_set, out, 1, dev)
    recognizer.train(tiny_whisper, training_set, out, 1, dev)
    assert [line["epoch"] for line in read_json_lines(out / "training.jsonl")] == [1, 1, 2, 2]
    assert (out / "model.safetensors").is_file()


def test_an_evaluation_counts_the_errors_of_the_written_weights_and_changes_nothing(
    tiny_whisper: Checkpoint, training_set: Manifest, clips: list[Utterance], tmp_path: Path
) -> None:
    dev = Manifest.write(clips[8:10], tmp_path / "dev")
    stopping = build_stopping(max_steps=1, precision="bfloat16")
    trained = stopping.train(tiny_whisper, training_set, tmp_path / "stopping", 1, dev)
    [evaluation] = read_json_lines(trained.location / "stopping.jsonl")
    counts = [
        metrics.count_utterance_errors(utterance, "words")
        for utterance in stopping.transcribe(trained, dev)
    ]
    assert evaluation["errors"] == metrics.sum_counts(counts).errors and evaluation["of"] > 1
    not_stopping = stopping.with_updates(1)
    not_stopping.train(tiny_whisper, training_set, tmp_path / "plain", 1)
    with_evaluation, without = (
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("stopping", "plain")
    )
    assert with_evaluation == without


def test_the_best_adapters_are_kept(
    tiny_whisper: Checkpoint,
    training_set: Manifest,
    dev: Manifest,
    wrong_clips: list[int],
    tmp_path: Path,
) -> None:
    weights = []
    for name, counts in (("first", [1, 2]), ("second", [2, 1])):
        wrong_clips[:] = counts
        recognizer = build_stopping(epochs=2, patience=1, lora=2)
        recognizer.train(tiny_whisper, training_set, tmp_path / name, 1, dev)
        weights.append((tmp_path / name / "model.safetensors").read_bytes())
    without_stopping = build_stopping(epochs=2, lora=2, stop=None)
    without_stopping.train(tiny_whisper, training_set, tmp_path / "plain", 1)
    last = (tmp_path / "plain" / "model.safetensors").read_bytes()
    assert weights[0] != last == weights[1]


def test_by_default_there_are_several_epochs_to_choose_from() -> None:
    assert WhisperOptions(stop=EarlyStoppingOptions("dev")).count_epochs(500) == 4
    assert WhisperOptions(stop=EarlyStoppingOptions("dev"), epochs=2).count_epochs(500) == 2


def test_a_fixed_number_of_updates_has_no_early_stopping() -> None:
    assert build_stopping().with_updates(60).early_stopping_set is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 0}, r"stop\.patience: must be a whole number from 1"),
        ({"every": 0}, r"stop\.every: must be a whole number from 1"),
        ({"average": 2}, "stop keeps the best weights"),
        ({"learning_rate": 0}, "learning_rate: must be a number above 0"),
    ],
)
def test_invalid_options_of_early_stopping_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build_stopping(**options)
