"""Forced decoding with Whisper: words, times and log-probabilities."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.asr.whisper.builders import build_whisper, load_model
from twister_loop.audio import io as audio
from twister_loop.core.types import Checkpoint, Utterance

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model


def test_a_text_is_aligned_word_by_word(tiny_whisper: Checkpoint, clips: list[Utterance]) -> None:
    for utterance in build_whisper(decode_batch=4).align(tiny_whisper, clips):
        assert " ".join(word.word for word in utterance.words) == utterance.text
        times = [time for word in utterance.words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert times[-1] <= utterance.duration + 0.03
        assert all(word.logprob < 0 for word in utterance.words)


def test_the_words_add_up_to_the_log_probability_of_the_whole_text(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    import torch

    [aligned] = build_whisper(margin=30.0).align(tiny_whisper, clips[:1])
    whisper = load_model(tiny_whisper)
    tokens = whisper.tokenizer.encode(" uno due", add_special_tokens=False)
    inputs = [whisper.start_token, *whisper.prompt_tokens("it"), *tokens]
    features = whisper.extract_features([audio.load_utterance(clips[0])], 30.0)
    with torch.inference_mode():
        logits = whisper.model(features, decoder_input_ids=torch.tensor([inputs])).logits[0]
    logprobs = logits[len(inputs) - len(tokens) - 1 :].log_softmax(-1)
    text_and_end = [*tokens, whisper.end_token]
    expected = sum(logprobs[index, token] for index, token in enumerate(text_and_end))
    assert sum(word.logprob for word in aligned.words) == pytest.approx(float(expected), abs=0.01)


def test_an_empty_text_has_no_words(tiny_whisper: Checkpoint, clips: list[Utterance]) -> None:
    [aligned] = build_whisper().align(tiny_whisper, [replace(clips[0], text=" ")])
    assert aligned.words == ()
    assert aligned.error is None
