"""Labels of Whisper's training: timestamps, previous text, and lengths that fit the decoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.asr.whisper.builders import build_whisper, load_model
from twister_loop.asr._base import Recognizer
from twister_loop.audio.effects._base import Effect
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Piece, Utterance, Word
from twister_loop.data.packing import Packer, PackOptions

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model

PACKED = Utterance(
    id="packed",
    duration=3.1,
    text="due three",
    lang="it",
    speaker="ada",
    pieces=(
        Piece(id="a", origin="pseudo", lang="it", text="due", start=0.0, end=1.207),
        Piece(id="b", origin="human", lang="en", text="three", start=1.707, end=3.1),
    ),
    previous_text="uno",
)


def tokenize_label(
    checkpoint: Checkpoint, utterance: Utterance, **forms: bool
) -> tuple[list[int], list[int], Any]:
    """Return prompt and label of an utterance as tokens, and the Whisper that they are for."""
    from twister_loop.asr.whisper.labels import build_examples, decoder_tokens

    whisper = load_model(checkpoint)
    [example] = build_examples(whisper, [utterance], 5.0, 8)
    prompt, label = decoder_tokens(whisper, replace(example, **forms))
    return prompt, label, whisper


def to_text(whisper: Any, tokens: list[int]) -> str:
    """Return tokens as text, with special tokens and timestamps."""
    text = str(whisper.tokenizer.decode(tokens, decode_with_timestamps=True))
    return text.replace("\u0120", " ")  # byte-level BPE's sign for a space


def collate_one(whisper: Any, loaded: Any) -> Any:
    from twister_loop.asr.whisper.dataset import collate

    options: Any = Recognizer.build({"use": "whisper"})
    rng = np.random.default_rng(0)
    batch = collate(whisper, [loaded], margin=0.2, options=options, rng=rng)
    assert batch is not None
    return batch


def test_sentences_are_between_timestamps_in_steps_of_20_ms(tiny_whisper: Checkpoint) -> None:
    prompt, label, whisper = tokenize_label(tiny_whisper, PACKED, with_timestamps=True)
    assert to_text(whisper, prompt) == "<|startoftranscript|><|it|><|transcribe|>"
    assert to_text(whisper, label) == "<|0.00|> due<|1.20|><|1.70|> three<|3.10|>"


def test_previous_text_opens_the_prompt_and_has_no_loss(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    from twister_loop.asr.whisper.dataset import IGNORE_INDEX, load_examples
    from twister_loop.asr.whisper.labels import build_examples

    prompt, label, whisper = tokenize_label(tiny_whisper, PACKED, with_previous_text=True)
    start = "<|startoftranscript|><|it|><|transcribe|><|notimestamps|>"
    assert to_text(whisper, prompt) == f"<|startofprev|> uno{start}"
    assert to_text(whisper, label) == " due three"
    utterance = replace(clips[0], text="due", previous_text="uno")
    [example] = build_examples(whisper, [utterance], 5.0, 8)
    training_set = Manifest.write(clips[:1], tmp_path)
    [loaded] = load_examples(training_set, 1, [replace(example, with_previous_text=True)])
    batch = collate_one(whisper, loaded)
    [inputs], [labels] = batch.inputs.tolist(), batch.labels.tolist()
    assert to_text(whisper, inputs) == f"<|startofprev|> uno{start} due"
    learned = [token for token in labels if token != IGNORE_INDEX]
    assert to_text(whisper, learned) == " due<|endoftext|>"
    assert labels[-len(learned) :] == learned


def test_previous_text_takes_at_most_half_of_the_decoder(tiny_whisper: Checkpoint) -> None:
    long = replace(PACKED, previous_text="uno due tre " * 200)
    forms = {"with_previous_text": True, "with_timestamps": True}
    prompt, label, whisper = tokenize_label(tiny_whisper, long, **forms)
    previous_text = prompt[: prompt.index(whisper.start_token)]
    assert len(previous_text) == whisper.max_tokens // 2
    long_label = replace(long, text="due " * 100, pieces=())
    prompt, label, whisper = tokenize_label(tiny_whisper, long_label, **forms)
    assert len(prompt) + len(label) == whisper.max_tokens


def test_one_sentence_has_the_times_of_its_words_if_they_are_known(
    tiny_whisper: Checkpoint,
) -> None:
    one_sentence = replace(PACKED, pieces=(), text="due", previous_text=None)
    _, label, whisper = tokenize_label(tiny_whisper, one_sentence, with_timestamps=True)
    assert to_text(whisper, label) == "<|0.00|> due<|3.10|>"
    words = (Word(word="due", start=0.5, end=0.931, logprob=-1.0),)
    aligned = replace(one_sentence, words=words)
    _, label, whisper = tokenize_label(tiny_whisper, aligned, with_timestamps=True)
    assert to_text(whisper, label) == "<|0.50|> due<|0.94|>"


def test_timestamps_of_a_clip_without_word_times_are_those_of_its_speech(
    tiny_whisper: Checkpoint,
    clips: list[Utterance],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from twister_loop.asr.whisper.dataset import load_examples
    from twister_loop.asr.whisper.labels import build_examples, decoder_tokens
    from twister_loop.audio import vad

    whisper: Any = load_model(tiny_whisper)
    [example] = build_examples(whisper, [replace(clips[0], text="due", lang="it")], 5.0, 8)
    training_set = Manifest.write(clips[:1], tmp_path)
    end = clips[0].duration
    # The clips of the tests are noise, in which no speech is found.
    for bounds, expected in (
        ((0.1, 0.3), "<|0.10|> due<|0.30|>"),
        (None, f"<|0.00|> due<|{round(end / 0.02) * 0.02:.2f}|>"),
    ):
        monkeypatch.setattr(vad, "find_bounds", lambda samples, bounds=bounds: bounds)
        [(loaded, _)] = load_examples(training_set, 1, [replace(example, with_timestamps=True)])
        assert to_text(whisper, decoder_tokens(whisper, loaded)[1]) == expected


@pytest.mark.parametrize("lang", ["it", "zh"])
def test_a_packed_label_always_fits(tiny_whisper: Checkpoint, lang: str) -> None:
    """It fits in every form, timestamps included; too long, it would be left out of training."""
    from twister_loop.asr.whisper.labels import build_examples

    text = {"it": "premi due e poi cancelletto", "zh": "\u6211\u4eca\u5929\u958b\u6703"}[lang]
    speech = [Utterance(id=str(n), duration=0.5, text=text, lang=lang) for n in range(60)]
    asr = Recognizer.build({"use": "whisper"})
    packer = Packer(PackOptions(gap=0.0), asr.label_length_ratio(tiny_whisper), 1)
    groups = list(packer.pack(speech))
    assert 1 < len(groups) < 20
    packed = [
        Utterance(id="p", duration=group.end, text=group.text, lang=group.lang, pieces=group.pieces)
        for group in groups
    ]
    examples = build_examples(load_model(tiny_whisper), packed, 5.0, 8)
    assert len(examples) == len(packed)
    assert all(example.sentence_tokens for example in examples)
    assert max(len(example.tokens) for example in examples) > 300


def test_the_form_of_a_label_is_drawn_anew_in_every_epoch(tiny_whisper: Checkpoint) -> None:
    from twister_loop.asr.whisper.dataset import plan_steps
    from twister_loop.asr.whisper.labels import Example

    options: Any = Recognizer.build(
        {"use": "whisper", "timestamps": 0.5, "previous_text": 0.5, "batch": 4}
    )
    examples = [Example(replace(PACKED, id=str(n)), [1], [2], ([2],), (3,)) for n in range(40)]

    def draw_forms(seed: int) -> list[dict[str, tuple[bool, bool]]]:
        epochs: list[dict[str, tuple[bool, bool]]] = [{}, {}]
        for step in plan_steps(examples, options, 20, seed):
            for example in (example for batch in step.batches for example in batch):
                form = (example.with_timestamps, example.with_previous_text)
                epochs[step.epoch - 1][example.utterance.id] = form
        return epochs

    first, second = draw_forms(1)
    assert draw_forms(1) == [first, second]
    assert first != second and len(first) == len(second) == 40
    for index in (0, 1):
        assert 8 < sum(form[index] for form in first.values()) < 32


def test_timestamps_follow_the_augmented_audio(tiny_whisper: Checkpoint, tmp_path: Path) -> None:
    """Speech that augmentation slows down has its sentences later."""
    from twister_loop.asr.whisper.dataset import load_examples
    from twister_loop.asr.whisper.labels import build_examples
    from twister_loop.audio import io as audio
    from twister_loop.audio.augmentation import Augmentation, AugmentedDataset, RandomEffect

    path = tmp_path / "a.wav"
    audio.write(np.full(round(3.1 * 16_000), 0.1, np.float32), path)
    whisper = load_model(tiny_whisper)
    [example] = build_examples(whisper, [replace(PACKED, audio_filepath=path)], 5.0, 8)
    half_speed = Effect.build({"use": "speed", "factors": [0.5]})
    augmentation = Augmentation((RandomEffect(half_speed, 1.0),), "reading")
    training_set = AugmentedDataset(tmp_path, augmentation, 1)
    [loaded] = load_examples(training_set, 1, [replace(example, with_timestamps=True)])
    [inputs] = collate_one(whisper, loaded).inputs.tolist()
    assert "<|0.00|> due<|2.42|><|3.42|> three<|6.20|>" in to_text(whisper, inputs)


def test_training_accepts_timestamps_and_previous_text(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    asr = build_whisper(
        batch=2, margins=[0.2, 0.6], learning_rate=1e-3, epochs=1, timestamps=1.0, previous_text=1.0
    )
    speech = [replace(clip, previous_text="uno", speaker="ada") for clip in clips[:4]]
    training_set = Manifest.write(speech, tmp_path / "filtered_labels")
    asr.train(tiny_whisper, training_set, tmp_path / "out", 1)
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_a_whisper_without_timestamps_is_trained_without_them(
    untimed_whisper: Checkpoint,
    clips: list[Utterance],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    asr = Recognizer.build({"use": "whisper", "timestamps": 0.5, "epochs": 1})
    training_set = Manifest.write(clips[:2], tmp_path / "filtered_labels")
    asr.train(untimed_whisper, training_set, tmp_path / "out", 1)
    assert "has no timestamps in its vocabulary: the labels of this training have none" in (
        caplog.text
    )


def test_shares_above_1_are_refused() -> None:
    with pytest.raises(Exception, match="timestamps: must be a number from 0 to 1, not 2"):
        Recognizer.build({"use": "whisper", "timestamps": 2})


def test_the_label_of_a_clip_without_speech_is_empty(tiny_whisper: Checkpoint) -> None:
    silence = Utterance(id="s", duration=4.0, text="", lang="it", speechless=True)
    packed = replace(
        silence, pieces=(Piece(id="s", origin="pseudo", lang="it", text="", start=0.0, end=4.0),)
    )
    for utterance in (silence, packed):
        prompt, label, loaded = tokenize_label(tiny_whisper, utterance)
        assert to_text(loaded, prompt).endswith("<|transcribe|><|notimestamps|>") and label == []
        prompt, label, loaded = tokenize_label(tiny_whisper, utterance, with_timestamps=True)
        assert to_text(loaded, prompt).endswith("<|transcribe|>")
        assert to_text(loaded, label) == "<|0.00|>"


def test_only_the_end_is_learned_of_a_clip_without_speech(tiny_whisper: Checkpoint) -> None:
    from twister_loop.asr.whisper.dataset import IGNORE_INDEX
    from twister_loop.asr.whisper.labels import build_examples

    loaded = load_model(tiny_whisper)
    silence = Utterance(id="s", duration=1.0, text="", lang="it", speechless=True)
    [example] = build_examples(loaded, [silence], 5.0, 8)
    batch = collate_one(loaded, (example, np.zeros(16_000, np.float32)))
    learned = batch.labels[batch.labels != IGNORE_INDEX].tolist()
    # Not `<|nospeech|>` in the place of the language, which no clip with speech would outweigh.
    assert learned == [loaded.end_token]


def test_a_missing_text_is_no_clip_without_speech(tiny_whisper: Checkpoint) -> None:
    from twister_loop.asr.whisper.labels import build_examples
    from twister_loop.core.errors import EngineError

    with pytest.raises(EngineError, match="each needs a text"):
        build_examples(
            load_model(tiny_whisper), [Utterance(id="s", duration=1.0, text="", lang="it")], 5.0, 8
        )
