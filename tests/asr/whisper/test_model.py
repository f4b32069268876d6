"""Features, tokens and encoder of a loaded Whisper."""

from __future__ import annotations

import numpy as np
import pytest

from tests.asr.whisper.builders import load_model
from twister_loop.audio import io as audio
from twister_loop.core.types import Checkpoint, Utterance

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model


def test_a_text_without_spaces_is_split_into_characters(tiny_whisper: Checkpoint) -> None:
    whisper = load_model(tiny_whisper)
    words = [word for word, _ in whisper.tokenize_words("你好 abc吗", "zh")]
    assert words == ["你", "好", "abc", "吗"]
    assert whisper.detokenize(whisper.tokenize("你好吗", "zh")) == "你好吗"


def test_the_encoder_for_any_length_computes_what_that_of_transformers_does(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    import torch

    whisper = load_model(tiny_whisper)
    full = whisper.extract_features([audio.load_utterance(clips[0])], 30.0)
    short = whisper.extract_features([audio.load_utterance(clips[0])], 2.0)
    assert short.shape[-1] < full.shape[-1] == 3000
    # The last frames of the short features look beyond their end.
    np.testing.assert_allclose(short[..., :-3], full[..., : short.shape[-1] - 3], atol=1e-5)
    with torch.inference_mode():
        assert whisper.encode(full).equal(whisper.model.model.encoder(full).last_hidden_state)
        assert whisper.encode(short).shape[1] == short.shape[-1] // 2
    assert whisper.model.model.encoder.embed_positions.num_embeddings == 1500
