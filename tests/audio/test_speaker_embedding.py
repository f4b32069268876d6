"""Embeddings are those of the package whose weights they are made with."""

import sys
from importlib.util import find_spec
from types import ModuleType

import numpy as np
import pytest

from twister_loop import ConfigError
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(find_spec("resemblyzer") is None, reason="needs its weights"),
]


@pytest.mark.parametrize("seconds", [0.5, 1.6, 1.7, 3.1, 8.0])
def test_they_are_what_resemblyzer_itself_makes(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twister_loop.audio import speaker_embedding as embeddings

    # It cuts silence, which it is not asked to do here, and cannot be imported without.
    monkeypatch.setitem(sys.modules, "webrtcvad", ModuleType("webrtcvad"))
    voice_encoder = pytest.importorskip("resemblyzer", exc_type=ImportError).VoiceEncoder
    spoken = toy_language.synthesize("a rose is a rose " * 9, toy_language.standard_codebook())[
        : round(seconds * 16_000)
    ]
    mine = embeddings.embed(spoken)
    assert mine.shape == (256,) and np.linalg.norm(mine) == pytest.approx(1, abs=1e-5)
    theirs = voice_encoder("cpu", verbose=False).embed_utterance(spoken)
    assert np.abs(mine - theirs).max() < 1e-5


def test_level_does_not_matter_where_it_is_low() -> None:
    from twister_loop.audio import speaker_embedding as embeddings

    spoken = toy_language.synthesize("a rose is a rose is a rose", toy_language.standard_codebook())
    quiet, quieter = (embeddings.embed(gain * spoken) for gain in (0.02, 0.001))
    assert audio.measure_loudness(0.02 * spoken) < embeddings.MIN_LOUDNESS
    assert np.abs(quiet - quieter).max() < 1e-4


def test_a_line_of_a_manifest_keeps_them_well_enough() -> None:
    from twister_loop.audio import speaker_embedding as embeddings

    spoken = (
        toy_language.synthesize(text, toy_language.standard_codebook())
        for text in ("a rose is a rose", "uo ei a ou io")
    )
    one, other = map(embeddings.embed, spoken)
    again = [
        embeddings.decode_embedding(embeddings.encode_embedding(each)) for each in (one, other)
    ]
    assert again[0] @ again[1] == pytest.approx(one @ other, abs=1e-3)


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from twister_loop.audio import speaker_embedding as embeddings

    embeddings._load_encoder.cache_clear()
    monkeypatch.setattr(embeddings, "SHA256", "0" * 64)
    with pytest.raises(ConfigError, match="not the weights of Resemblyzer"):
        embeddings.embed(np.zeros(16_000, np.float32))
