"""Training of tiny but real models from random weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests import processes
from tests.asr.from_scratch.tiny_models import every_model, tiny_recognizer
from tests.asr.from_scratch.whistles import TEXTS
from twister_loop.asr._base import Recognizer
from twister_loop.core.artifacts import read_json
from twister_loop.core.errors import EngineError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.evaluation import metrics

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.model


@every_model
def test_training_lowers_the_loss_and_writes_files_with_the_usual_names(
    name: str, trained: dict[str, Checkpoint]
) -> None:
    folder = trained[name].location
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "model.safetensors", "tokens.json", "training.jsonl",
    }  # fmt: skip
    log = [json.loads(line) for line in (folder / "training.jsonl").open()]
    assert [line["step"] for line in log] == list(range(1, 7))
    assert log[-1]["loss"] < log[0]["loss"]


@every_model
def test_padding_changes_neither_the_loss_nor_its_gradient(name: str) -> None:
    from twister_loop.asr._from_scratch.features import pad_features

    recognizer = tiny_recognizer(name, dropout=0.0)
    torch.manual_seed(0)
    network = recognizer.build_network(20).train()
    features, lengths = pad_features([torch.randn(97, 80), torch.randn(60, 80)])
    texts = [torch.tensor([1, 2, 3]), torch.tensor([4, 4])]
    measured = []
    for padded in (features, torch.nn.functional.pad(features, (0, 0, 0, 57))):
        loss = recognizer.compute_loss(network, padded, lengths, texts)
        loss.backward()
        gradient = sum(float(weight.grad.abs().sum()) for weight in network.parameters())
        network.zero_grad()
        measured.append((loss.item(), gradient))
    assert measured[0] == pytest.approx(measured[1], rel=1e-4)


@every_model
def test_a_clip_without_speech_is_learned_as_an_empty_text(name: str) -> None:
    from twister_loop.asr._from_scratch.dataset import read_labeled_speech
    from twister_loop.asr._from_scratch.features import pad_features

    recognizer = tiny_recognizer(name, dropout=0.0)
    torch.manual_seed(0)
    network = recognizer.build_network(20).train()
    features, lengths = pad_features([torch.randn(97, 80), torch.randn(60, 80)])
    empty = torch.tensor([], dtype=torch.long)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    losses = []
    for _ in range(5):
        for texts in ([torch.tensor([1, 2, 3]), empty], [empty, empty]):
            loss = recognizer.compute_loss(network, features, lengths, texts)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] < float("inf")
    silence = Utterance(id="s", duration=1.0, text="", speechless=True)
    assert read_labeled_speech(recognizer, [silence, replace(silence, speechless=False)]) == [
        silence
    ]


@every_model
def test_training_continues_from_a_checkpoint_with_its_vocabulary(
    name: str,
    trained: dict[str, Checkpoint],
    speech: list[Utterance],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    more = [*speech[:4], replace(speech[4], text="바xyz다"), replace(speech[5], text="!?")]
    training_set = Manifest.write(more, tmp_path / "training-set")
    recognizer = tiny_recognizer(name, max_steps=1)
    continued = recognizer.train(trained[name], training_set, tmp_path / "out", seed=2)
    before, after = (
        read_json(checkpoint.location / "config.json")["tokens"]
        for checkpoint in (trained[name], continued)
    )
    assert before == after
    assert "3 characters of the training set are not in the vocabulary" in caplog.text
    assert (
        "1 utterances of the training set are left out: the text is empty after normalization"
        in caplog.text
    )


def test_texts_that_are_too_long_for_ctc_are_left_out(
    speech: list[Utterance], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    crowded = [*speech[:4], replace(speech[4], text="바다 " * 50), replace(speech[5], text=" ")]
    training_set = Manifest.write(crowded, tmp_path / "training-set")
    recognizer = tiny_recognizer("deepspeech2", max_steps=1, longest=10.0)
    recognizer.train(recognizer.initial_checkpoint(), training_set, tmp_path / "out", seed=1)
    assert "1 utterances of the training set are left out: the text is too long" in caplog.text
    assert "left out: without text, or longer than 10 s" in caplog.text


@pytest.mark.parametrize("name", ["deepspeech2+attention", "conformer"])
def test_training_that_is_killed_and_resumed_gives_the_same_bytes(
    name: str, training_set: Manifest, tmp_path: Path
) -> None:
    recognizer = tiny_recognizer(name, epochs=8, save_every=4, average=2)
    start = recognizer.initial_checkpoint()
    recognizer.train(start, training_set, tmp_path / "whole", seed=3)
    process = processes.start(train_in_one_thread, recognizer, training_set, tmp_path / "killed")
    processes.kill_after_lines(process, tmp_path / "killed/training.jsonl", 7)
    assert (tmp_path / "killed/resume/state.pt").is_file()
    recognizer.train(start, training_set, tmp_path / "killed", seed=3)
    for file in ("model.safetensors", "training.jsonl", "config.json", "tokens.json"):
        killed, whole = ((tmp_path / run / file).read_bytes() for run in ("killed", "whole"))
        assert killed == whole, file


def train_in_one_thread(recognizer: Recognizer, training_set: Manifest, out: Path) -> None:
    """Train as in this process, whose networks compute in one thread (see conftest.py)."""
    torch.set_num_threads(1)
    recognizer.train(recognizer.initial_checkpoint(), training_set, out, seed=3)


def test_an_empty_training_set_is_refused_with_advice(
    speech: list[Utterance], tmp_path: Path
) -> None:
    training_set = Manifest.write([replace(speech[0], text="")], tmp_path / "training-set")
    recognizer = tiny_recognizer("deepspeech2")
    start = recognizer.initial_checkpoint()
    with pytest.raises(EngineError, match="needs transcribed speech"):
        recognizer.train(start, training_set, tmp_path / "out", seed=1)


def test_the_weights_after_each_epoch_are_kept_averaged_and_can_transcribe(
    training_set: Manifest, speech: list[Utterance], tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    recognizer = tiny_recognizer("deepspeech2", epochs=3, average=3).keeping_all_epochs()
    start = recognizer.initial_checkpoint()
    trained = recognizer.train(start, training_set, tmp_path / "out", seed=1)
    folders = sorted(trained.location.glob("epoch-*"))
    assert [folder.name for folder in folders] == ["epoch-01", "epoch-02", "epoch-03"]
    epochs = [load_file(folder / "model.safetensors") for folder in folders]
    for name, mean in load_file(trained.location / "model.safetensors").items():
        # Bit by bit: the sums of the average are exact in float64.
        expected = torch.stack([weights[name].double() for weights in epochs]).mean(0)
        assert mean.equal(expected.to(mean.dtype)), name
    after_first = replace(trained, location=folders[0])
    [transcribed] = recognizer.transcribe(after_first, speech[:1])
    assert transcribed.pred_text is not None


@pytest.mark.overfit
@pytest.mark.timeout(900)
@every_model
def test_ten_clips_are_learned_by_heart(
    name: str, training_set: Manifest, speech: list[Utterance], tmp_path: Path
) -> None:
    options = {"epochs": 150, "batch": 10, "learning_rate": 5e-3}
    if name.startswith("deepspeech2"):
        options = {"epochs": 100, "batch": 5, "learning_rate": 4e-3}
    if name == "las":
        options = {"epochs": 200, "batch": 5, "learning_rate": 4e-3}
    if name == "transducer":  # blanks come first, and tokens only after some hundred steps
        options = {"epochs": 150, "batch": 2, "learning_rate": 4e-3}
    unit = "character" if name == "deepspeech2" else "grapheme"
    recognizer = tiny_recognizer(name, unit=unit, dropout=0.0, **options)
    start = recognizer.initial_checkpoint()
    trained = recognizer.train(start, training_set, tmp_path / "out", seed=1)
    for decode in ("greedy", "beam"):
        transcribed = list(replace(recognizer, decode=decode).transcribe(trained, speech))
        counts = [metrics.count_utterance_errors(clip) for clip in transcribed]
        assert metrics.sum_counts(counts).errors == 0
        assert [clip.pred_text for clip in transcribed] == TEXTS
