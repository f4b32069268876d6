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


def test_the_batch_size_does_not_change_words(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    alone, batched = (
        [
            utterance.words
            for utterance in build_whisper(decode_batch=size).align(tiny_whisper, clips)
        ]
        for size in (1, 12)
    )
    for words, batched_words in zip(alone, batched, strict=True):
        assert [(word.word, word.start, word.end) for word in words] == [
            (word.word, word.start, word.end) for word in batched_words
        ]


def test_times_are_those_of_transformers_attention_and_warping(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    import numpy as np
    import torch
    from transformers import WhisperForConditionalGeneration

    from twister_loop.asr.whisper.alignment import list_alignment_heads
    from twister_loop.asr.whisper.attention import recording_attention

    whisper = load_model(tiny_whisper)
    eager = WhisperForConditionalGeneration.from_pretrained(
        tiny_whisper.location, attn_implementation="eager"
    )
    features = whisper.extract_features([audio.load_utterance(clip) for clip in clips[:3]], 30.0)
    tokens = torch.tensor(3 * [[whisper.start_token, 5, 6, 7, 8]])
    with torch.inference_mode():
        with recording_attention(list_alignment_heads(whisper)) as recorder:
            whisper.model.model.decoder(tokens, encoder_hidden_states=whisper.encode(features))
        expected = eager(features, decoder_input_ids=tokens, output_attentions=True)
    heads = [expected.cross_attentions[layer][:, head] for layer, head in [(1, 0), (1, 1)]]
    np.testing.assert_allclose(recorder.stack(), torch.stack(heads, dim=1), atol=1e-5)


def test_the_path_is_that_of_transformers_with_ties_too() -> None:
    import numpy as np
    from transformers.models.whisper.generation_whisper import _dynamic_time_warping

    from twister_loop.asr.whisper.time_warping import warp

    rng = np.random.default_rng(0)
    for number in range(60):
        shape = rng.integers(1, 14), rng.integers(1, 30)
        costs = rng.normal(size=shape) if number % 2 else rng.integers(0, 3, shape).astype(float)
        tokens, positions = _dynamic_time_warping(costs)
        assert warp(costs).tolist() == positions[np.diff(tokens, prepend=-1) > 0].tolist()


def test_an_empty_text_has_no_words(tiny_whisper: Checkpoint, clips: list[Utterance]) -> None:
    [aligned] = build_whisper().align(tiny_whisper, [replace(clips[0], text=" ")])
    assert aligned.words == ()
    assert aligned.error is None
