"""Training data of Whisper: what is left out, the steps of an epoch, and the tensors of a batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.asr.whisper.builders import build_trainable, load_model
from twister_loop.core.errors import EngineError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model


def test_utterances_that_cannot_be_trained_on_are_left_out_and_counted(
    tiny_whisper: Checkpoint,
    clips: list[Utterance],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    speech = [
        clips[0],
        replace(clips[1], text="a" * 448),
        replace(clips[2], text=None),
        replace(clips[3], audio_filepath=tmp_path / "no.wav"),
        replace(clips[4], lang=None),
    ]
    training_set = Manifest.write(speech, tmp_path / "filtered_labels")
    build_trainable(epochs=1).train(tiny_whisper, training_set, tmp_path / "out", seed=1)
    assert "leaving 1 utterances over 448 tokens out of the training set" in caplog.text
    assert "leaving 1 utterances without a text out of the training set" in caplog.text
    assert "skipping 3 in training" in caplog.text


def test_a_training_set_without_a_usable_utterance_is_refused(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    training_set = Manifest.write([replace(clips[0], text=None)], tmp_path / "filtered_labels")
    with pytest.raises(EngineError, match="no utterance that Whisper can be trained on"):
        build_trainable().train(tiny_whisper, training_set, tmp_path / "out", seed=1)


def test_some_batches_are_in_the_full_window_and_no_pass_is_too_long_for_memory(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    from twister_loop.asr.whisper import dataset
    from twister_loop.asr.whisper.labels import build_examples

    whisper = load_model(tiny_whisper)
    examples = build_examples(whisper, clips, 1.0, 8)
    options: Any = build_trainable(full_windows=0.25)
    steps = list(dataset.plan_steps(examples, options, 400, seed=1))
    full = [step for step in steps if step.margins == [30.0]]
    assert 70 < len(full) < 130
    others = [step for step in steps if step not in full]
    assert all(0.2 <= margin <= 0.6 for step in others for margin in step.margins)
    for _, batches in dataset.prefetch_batches(whisper, Manifest(Path()), full[:2], options):
        assert all(batch.features.shape[-1] == 3000 for batch in batches)
    long_clip = replace(clips[0], duration=10.0)
    eight = [replace(examples[0], utterance=long_clip)] * 8
    pass_sizes = [
        [len(pass_examples) for pass_examples in dataset.split_into_passes(eight, margin)]
        for margin in (1.0, 30.0)
    ]
    assert pass_sizes == [[8], [3, 3, 2]]


def test_features_are_masked_and_tokens_weighted_by_their_origin(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    from twister_loop.asr.whisper import dataset
    from twister_loop.asr.whisper.labels import build_examples
    from twister_loop.asr.whisper.training import token_weights

    whisper = load_model(tiny_whisper)
    speech = [replace(clips[0], origin="synthetic"), replace(clips[0], id="other")]
    examples = build_examples(whisper, speech, 1.0, 8)

    def load_batch(step_number: int, **options: Any) -> dataset.Batch:
        recognizer: Any = build_trainable(loss_weights={"synthetic": 0.5}, **options)
        step = next(dataset.plan_steps(examples, recognizer, 1, seed=1))
        step = replace(step, seed=(1, step_number))
        [(_, [batch])] = dataset.prefetch_batches(whisper, Manifest(Path()), [step], recognizer)
        return batch

    plain = load_batch(1)
    masked, same_step, next_step = (load_batch(number, spec_augment=True) for number in (1, 1, 2))
    assert (plain.features != 0).all()
    mask = masked.features == 0
    assert mask.any() and (masked.features == plain.features)[~mask].all()
    assert not mask[0].equal(mask[1])  # every clip has masks of its own
    assert masked.features.equal(same_step.features)
    assert not masked.features.equal(next_step.features)
    assert sorted(plain.loss_weights.tolist()) == [0.5, 1.0]
    learned_labels = plain.labels[plain.labels != dataset.IGNORE_INDEX]
    assert token_weights(plain).shape == learned_labels.shape
