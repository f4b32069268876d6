"""Whisper's training ended early on a development set, and the rate at which it learns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from twister_loop.asr._base import Recognizer
from twister_loop.core.errors import ConfigError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.evaluation import metrics

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model


def learner(patience: int = 3, every: int | None = None, **options: Any) -> Recognizer:
    options.setdefault("stop", {"set": "dev", "patience": patience, "every": every})
    terms = {"precision": "float32", "batch": 4, "margins": [0.2, 0.6], **options}
    return Recognizer.build({"use": "whisper", "learning_rate": 1e-3, **terms})


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.open()]


@pytest.fixture
def lesson(clips: list[Utterance], tmp_path: Path) -> Manifest:
    return Manifest.write(clips[:8], tmp_path / "filtered_labels")


@pytest.fixture
def watched(clips: list[Utterance], tmp_path: Path) -> Manifest:
    return Manifest.write(clips[8:], tmp_path / "watched")


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch, watched: Manifest) -> list[int]:
    """How many of the clips are heard wrongly, look by look, whatever the weights."""
    errors: list[int] = []

    def hear(self: object, model: object, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        count = errors.pop(0)
        for place, each in enumerate(speech):
            yield replace(each, pred_text="" if place < count else each.text)

    monkeypatch.setattr("twister_loop.asr.whisper.transcription.hear", hear)
    return errors


def test_the_best_weights_are_kept_and_training_ends_when_they_get_no_better(
    tiny_whisper: Checkpoint, lesson: Manifest, watched: Manifest, wrong: list[int], tmp_path: Path
) -> None:
    wrong += [4, 2, 3, 2, 0]
    part = learner(epochs=9, patience=2, keep_epochs=True)
    made = part.train(tiny_whisper, lesson, out := tmp_path / "out", 1, watched)
    assert [each["epoch"] for each in lines(out / "stopping.jsonl")] == [1, 2, 3, 4]
    assert lines(out / "training.jsonl")[-1]["epoch"] == 4, "what only draws level is no gain"
    kept, best, last = (
        (folder / "model.safetensors").read_bytes()
        for folder in (made.location, out / "epoch-02", out / "epoch-04")
    )
    assert kept == best != last
    assert not (out / "resume").exists()


def test_it_may_be_tried_by_steps_and_is_at_the_end(
    tiny_whisper: Checkpoint, lesson: Manifest, watched: Manifest, wrong: list[int], tmp_path: Path
) -> None:
    wrong += [3, 2, 1]
    part = learner(batch=2, epochs=2, max_steps=7, every=3)
    part.train(tiny_whisper, lesson, out := tmp_path / "out", 1, watched)
    assert [each["step"] for each in lines(out / "stopping.jsonl")] == [3, 6, 7]


def test_a_kill_after_the_end_takes_no_more_steps(
    tiny_whisper: Checkpoint,
    lesson: Manifest,
    watched: Manifest,
    wrong: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from twister_loop.asr.whisper.training import Trainer

    wrong += [1, 2]
    part, out = learner(epochs=9, patience=1), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            part.train(tiny_whisper, lesson, out, 1, watched)
    part.train(tiny_whisper, lesson, out, 1, watched)
    assert [each["epoch"] for each in lines(out / "training.jsonl")] == [1, 1, 2, 2]
    assert (out / "model.safetensors").is_file()


def test_a_look_counts_what_the_weights_will_be_measured_at_and_changes_nothing(
    tiny_whisper: Checkpoint, lesson: Manifest, clips: list[Utterance], tmp_path: Path
) -> None:
    watched = Manifest.write(clips[8:10], tmp_path / "watched")
    looking = learner(max_steps=1, precision="bfloat16")
    made = looking.train(tiny_whisper, lesson, tmp_path / "looking", 1, watched)
    [look] = lines(made.location / "stopping.jsonl")
    counts = [
        metrics.count_utterance_errors(each, "words") for each in looking.transcribe(made, watched)
    ]
    assert look["errors"] == metrics.sum_counts(counts).errors and look["of"] > 1
    blind = looking.with_updates(1)
    blind.train(tiny_whisper, lesson, tmp_path / "blind", 1)
    learned, plain = (
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("looking", "blind")
    )
    assert learned == plain


def test_adapters_are_kept_when_they_are_best(
    tiny_whisper: Checkpoint, lesson: Manifest, watched: Manifest, wrong: list[int], tmp_path: Path
) -> None:
    made = []
    for name, errors in (("first", [1, 2]), ("second", [2, 1])):
        wrong[:] = errors
        part = learner(epochs=2, patience=1, lora=2)
        part.train(tiny_whisper, lesson, tmp_path / name, 1, watched)
        made.append((tmp_path / name / "model.safetensors").read_bytes())
    plain = learner(epochs=2, lora=2, stop=None)
    plain.train(tiny_whisper, lesson, tmp_path / "plain", 1)
    last = (tmp_path / "plain" / "model.safetensors").read_bytes()
    assert made[0] != last == made[1]


def test_equal_updates_are_not_ended_early() -> None:
    assert learner().with_updates(60).early_stopping_set is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 0}, "stop: patience, every: 1 at least"),
        ({"every": 0}, "stop: patience, every: 1 at least"),
        ({"average": 2}, "stop: keeps the best weights"),
        ({"learning_rate": 0}, "learning_rate: above 0"),
    ],
)
def test_ways_to_stop_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        learner(**options)


@pytest.mark.parametrize(
    ("width", "rate", "why"),
    [
        (384, 3.75e-5, "tiny was trained; this model is as wide as that"),
        (512, 2.5e-5, "base was"),
        (768, 1.25e-5, "small was"),
        (1024, 6.25e-6, "medium was"),
        (1280, 5e-6, "large was"),
        (32, 3.75e-5, "tiny was trained; this model is nearest in width to that"),
    ],
)
def test_the_rate_goes_by_the_size_where_nobody_says(width: int, rate: float, why: str) -> None:
    from transformers import WhisperConfig

    from twister_loop.asr.whisper.learning_rate import learning_rate

    options: Any = learner(learning_rate=None)
    found, said = learning_rate(options, WhisperConfig(d_model=width))
    assert found == pytest.approx(rate) and why in said
    assert learning_rate(learner(learning_rate=7e-6), WhisperConfig(d_model=width))[0] == 7e-6
    assert learning_rate(replace(options, lora=4), WhisperConfig(d_model=width))[0] == 1e-3


def test_training_says_the_rate_and_why_and_learns_at_it(
    tiny_whisper: Checkpoint,
    lesson: Manifest,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    part = learner(learning_rate=None, stop=None, epochs=1, warmup=0.5)
    with caplog.at_level("INFO"):
        part.train(tiny_whisper, lesson, tmp_path / "out", 1)
    assert "learning rate 3.75e-05 at its peak: a fortieth of 0.0015" in caplog.text
    assert lines(tmp_path / "out/training.jsonl")[0]["learning_rate"] == pytest.approx(3.75e-5)
