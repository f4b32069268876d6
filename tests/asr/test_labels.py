"""What Whisper is given to learn: timestamps, previous text, and labels that it can hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twister_loop.asr._base import Recognizer
from twister_loop.audio.effects._base import Effect
from twister_loop.core.errors import EngineError
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


def learned(
    checkpoint: Checkpoint, utterance: Utterance, **draws: bool
) -> tuple[list[int], list[int], Any]:
    """Prompt and text as they are put before the decoder, and the Whisper that reads them."""
    import torch

    from twister_loop.asr.whisper.dataset import _label, examples
    from twister_loop.asr.whisper.model import Whisper

    whisper = Whisper.load(checkpoint.location, torch.float32)
    [example] = examples(whisper, [utterance], 5.0, 8)
    prompt, tokens = _label(whisper, replace(example, **draws))
    return prompt, tokens, whisper


def shown(whisper: Any, tokens: list[int]) -> str:
    return str(whisper.tokenizer.decode(tokens, decode_with_timestamps=True)).replace("\u0120", " ")


def test_sentences_stand_between_timestamps_of_the_grid(timed_whisper: Checkpoint) -> None:
    prompt, tokens, whisper = learned(timed_whisper, PACKED, timed=True)
    assert shown(whisper, prompt) == "<|startoftranscript|><|it|><|transcribe|>"
    assert shown(whisper, tokens) == "<|0.00|> due<|1.20|><|1.70|> three<|3.10|>"


def test_what_was_said_before_opens_the_prompt_and_is_not_learned(
    timed_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    from twister_loop.asr.whisper.dataset import IGNORED, _batch, _heard, examples

    prompt, tokens, whisper = learned(timed_whisper, PACKED, preceded=True)
    after = "<|startoftranscript|><|it|><|transcribe|><|notimestamps|>"
    assert shown(whisper, prompt) == f"<|startofprev|> uno{after}"
    assert shown(whisper, tokens) == " due three"
    [example] = examples(whisper, [replace(clips[0], text="due", previous_text="uno")], 5.0, 8)
    [heard] = _heard(Manifest.write(clips[:1], tmp_path), 1, [replace(example, preceded=True)])
    options: Any = Recognizer.build({"use": "whisper"})
    batch = _batch(whisper, [heard], 0.2, options, np.random.default_rng(0))
    assert batch is not None
    [given], [labels] = batch.inputs.tolist(), batch.labels.tolist()
    assert shown(whisper, given) == f"<|startofprev|> uno{after} due"
    said = [label for label in labels if label != IGNORED]
    assert shown(whisper, said) == " due<|endoftext|>" and labels[-len(said) :] == said


def test_what_was_said_before_takes_at_most_half_of_the_decoder(timed_whisper: Checkpoint) -> None:
    long = replace(PACKED, previous_text="uno due tre " * 200)
    prompt, tokens, whisper = learned(timed_whisper, long, preceded=True, timed=True)
    before = prompt[: prompt.index(whisper.start)]
    assert len(before) == whisper.longest // 2
    full = replace(long, text="due " * 100, pieces=())
    prompt, tokens, whisper = learned(timed_whisper, full, preceded=True, timed=True)
    assert len(prompt) + len(tokens) == whisper.longest


def test_one_sentence_is_timed_by_its_words_where_these_are_known(
    timed_whisper: Checkpoint,
) -> None:
    alone = replace(PACKED, pieces=(), text="due", previous_text=None)
    _, tokens, whisper = learned(timed_whisper, alone, timed=True)
    assert shown(whisper, tokens) == "<|0.00|> due<|3.10|>"
    words = (Word(word="due", start=0.5, end=0.931, logprob=-1.0),)
    _, tokens, whisper = learned(timed_whisper, replace(alone, words=words), timed=True)
    assert shown(whisper, tokens) == "<|0.50|> due<|0.94|>"


@pytest.mark.parametrize("lang", ["it", "zh"])
def test_a_packed_label_always_fits(timed_whisper: Checkpoint, lang: str) -> None:
    """With its timestamps, whatever is drawn; without the limit it would be left out."""
    from twister_loop.asr.whisper.dataset import examples
    from twister_loop.asr.whisper.model import Whisper

    text = {"it": "premi due e poi cancelletto", "zh": "\u6211\u4eca\u5929\u958b\u6703"}[lang]
    speech = [Utterance(id=str(n), duration=0.5, text=text, lang=lang) for n in range(60)]
    asr = Recognizer.build({"use": "whisper"})
    groups = list(
        Packer(PackOptions(gap=0.0), asr.label_length_ratio(timed_whisper), 1).packed_groups(speech)
    )
    assert 1 < len(groups) < 20
    import torch

    whisper = Whisper.load(timed_whisper.location, torch.float32)
    packed = [
        Utterance(id="p", duration=each.end, text=each.text, lang=each.lang, pieces=each.pieces)
        for each in groups
    ]
    made = examples(whisper, packed, 5.0, 8)
    assert len(made) == len(packed) and all(each.sentences for each in made)
    assert max(len(each.tokens) for each in made) > 300


def test_timestamps_are_drawn_anew_in_every_epoch(timed_whisper: Checkpoint) -> None:
    from twister_loop.asr.whisper.dataset import Example, steps

    asr = Recognizer.build({"use": "whisper", "timestamps": 0.5, "previous_text": 0.5, "batch": 4})
    lesson = [Example(replace(PACKED, id=str(n)), [1], [2], ([2],), (3,)) for n in range(40)]

    def drawn(seed: int) -> list[dict[str, tuple[bool, bool]]]:
        epochs: list[dict[str, tuple[bool, bool]]] = [{}, {}]
        for step in steps(lesson, asr, 20, seed):  # type: ignore[arg-type]
            for example in (each for group in step.batches for each in group):
                epochs[step.epoch - 1][example.utterance.id] = (example.timed, example.preceded)
        return epochs

    first, second = drawn(1)
    assert drawn(1) == [first, second] and first != second and len(first) == len(second) == 40
    for place in (0, 1):
        assert 8 < sum(each[place] for each in first.values()) < 32


def test_timestamps_follow_what_is_heard(timed_whisper: Checkpoint, tmp_path: Path) -> None:
    """Speech that is slowed down when it is read has its sentences later."""
    from twister_loop.asr.whisper.dataset import _batch, _heard, examples
    from twister_loop.audio import io as audio
    from twister_loop.audio.augmentation import Augmentation, AugmentedDataset, RandomEffect

    path = tmp_path / "a.wav"
    audio.write(np.full(round(3.1 * 16_000), 0.1, np.float32), path)
    _, _, whisper = learned(timed_whisper, PACKED)
    [example] = examples(whisper, [replace(PACKED, audio_filepath=path)], 5.0, 8)
    slow = Effect.build({"use": "speed", "factors": [0.5]})
    lesson = AugmentedDataset(tmp_path, Augmentation((RandomEffect(slow, 1.0),), "reading"), 1)
    [heard] = _heard(lesson, 1, [replace(example, timed=True)])
    options: Any = Recognizer.build({"use": "whisper"})
    batch = _batch(whisper, [heard], 0.2, options, np.random.default_rng(0))
    assert batch is not None
    [given] = batch.inputs.tolist()
    assert "<|0.00|> due<|2.42|><|3.42|> three<|6.20|>" in shown(whisper, given)


def test_it_learns_timestamps_and_previous_text(
    timed_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    asr = Recognizer.build(
        {"use": "whisper", "precision": "float32", "batch": 2, "margins": [0.2, 0.6],
         "learning_rate": 1e-3, "epochs": 1, "timestamps": 1.0, "previous_text": 1.0}
    )  # fmt: skip
    speech = [replace(each, previous_text="uno", speaker="ada") for each in clips[:4]]
    lesson = Manifest.write(speech, tmp_path / "filtered_labels")
    asr.train(timed_whisper, lesson, tmp_path / "out", 1)
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_a_whisper_without_timestamps_says_so(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    asr = Recognizer.build({"use": "whisper", "timestamps": 0.5, "epochs": 1})
    lesson = Manifest.write(clips[:2], tmp_path / "filtered_labels")
    with pytest.raises(EngineError, match="has no timestamps"):
        asr.train(tiny_whisper, lesson, tmp_path / "out", 1)


def test_probabilities_that_are_none_are_refused() -> None:
    with pytest.raises(Exception, match="timestamps, previous_text: parts of a whole"):
        Recognizer.build({"use": "whisper", "timestamps": 2})
