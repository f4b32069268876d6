"""Options of the Whisper recognizer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.asr.whisper.builders import build_whisper
from twister_loop.core.artifacts import cache_key
from twister_loop.core.errors import ConfigError

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model


@pytest.mark.parametrize("options", [{"batch": 0}, {"margins": [3, 1]}, {"precision": "float8"}])
def test_invalid_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        build_whisper(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam": 0}, "beam: must be a whole number from 1 to 100, not 0"),
        ({"beam": 3, "temperature": 0.5}, "above 0 needs `beam: 1`"),
        ({"beam": 3, "nbest": 4}, "nbest must be at most the size of the beam, 3"),
        ({"model": "/no/such/folder"}, "model: there is no folder /no/such/folder"),
    ],
)
def test_invalid_options_of_decoding_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_whisper(**options)


def test_only_options_that_change_results_are_in_the_cache_key() -> None:
    first, second = build_whisper(decode_batch=4, save_every=7), build_whisper()
    assert cache_key(first) == cache_key(second)
    assert cache_key(first) != cache_key(build_whisper(margin=30.0))


def test_standard_decoding_is_in_the_full_window() -> None:
    standard = build_whisper(epochs=5).full_window()
    assert standard is not None
    assert standard.decoding_description() == (
        "greedy, 30 s windows with timestamps, sequential after the previous text, "
        "temperature fallback, float32"
    )
    assert standard.full_context().decoding_description() == (
        "greedy, margin 30 s, repetition guard, over 30 s sequential after the previous text, "
        "float32"
    )
