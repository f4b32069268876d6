"""Embeddings equal those of the package Resemblyzer, whose weights they use."""

import sys
from importlib.util import find_spec
from types import ModuleType

import numpy as np
import pytest

from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.errors import ConfigError

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(find_spec("resemblyzer") is None, reason="needs its weights"),
]


def synthesize(text: str) -> audio.Samples:
    return toy_language.synthesize(text, toy_language.standard_codebook())


@pytest.mark.parametrize("seconds", [0.5, 1.6, 1.7, 3.1, 8.0])
def test_embeddings_equal_those_of_resemblyzer(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twister_loop.audio import speaker_embedding

    # Resemblyzer cannot be imported without webrtcvad, which it does not use here.
    monkeypatch.setitem(sys.modules, "webrtcvad", ModuleType("webrtcvad"))
    voice_encoder = pytest.importorskip("resemblyzer", exc_type=ImportError).VoiceEncoder
    speech = synthesize("a rose is a rose " * 9)[: round(seconds * 16_000)]
    embedding = speaker_embedding.embed(speech)
    assert embedding.shape == (256,)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)
    expected = voice_encoder("cpu", verbose=False).embed_utterance(speech)
    assert np.abs(embedding - expected).max() < 1e-5


def test_the_level_of_quiet_speech_does_not_matter() -> None:
    from twister_loop.audio import speaker_embedding

    speech = synthesize("a rose is a rose is a rose")
    quiet, quieter = (speaker_embedding.embed(gain * speech) for gain in (0.02, 0.001))
    assert audio.measure_loudness(0.02 * speech) < speaker_embedding.MIN_LOUDNESS
    assert np.abs(quiet - quieter).max() < 1e-4


def test_the_text_of_an_embedding_keeps_its_cosines() -> None:
    from twister_loop.audio import speaker_embedding

    texts = ("a rose is a rose", "uo ei a ou io")
    embeddings = [speaker_embedding.embed(synthesize(text)) for text in texts]
    decoded = [
        speaker_embedding.decode_embedding(speaker_embedding.encode_embedding(embedding))
        for embedding in embeddings
    ]
    assert decoded[0] @ decoded[1] == pytest.approx(embeddings[0] @ embeddings[1], abs=1e-3)


def test_weights_with_another_digest_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from twister_loop.audio import speaker_embedding

    speaker_embedding._load_encoder.cache_clear()
    monkeypatch.setattr(speaker_embedding, "SHA256", "0" * 64)
    with pytest.raises(ConfigError, match="not the weights of Resemblyzer"):
        speaker_embedding.embed(np.zeros(16_000, np.float32))
