"""Whisper in CTranslate2: its transcripts are those of transformers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.asr.whisper.builders import build_whisper
from twister_loop import load
from twister_loop.asr._base import Recognizer
from twister_loop.core.artifacts import read_json, write_json
from twister_loop.core.cache import cache_folder
from twister_loop.core.errors import EngineError
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.errors import ConfigError
from twister_loop.evaluation import metrics

pytest.importorskip("torch")
pytest.importorskip("ctranslate2")


def model(test: Any) -> Any:
    """Mark a test of tiny weights, which do not belong in the user's cache."""
    return pytest.mark.model(pytest.mark.usefixtures("own_cache")(test))


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWISTER_CACHE", str(tmp_path / "cache"))


def build_ctranslate2(**options: Any) -> Recognizer:
    return Recognizer.build({"use": "ctranslate2", "compute_type": "float32", **options})


@model
def test_transcripts_and_statistics_are_those_of_transformers(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    for actual, expected in zip(
        build_ctranslate2().transcribe(tiny_whisper, clips),
        build_whisper().transcribe(tiny_whisper, clips),
        strict=True,
    ):
        assert actual.pred_text and actual.pred_text == expected.pred_text
        assert (actual.lang, actual.hit_limit, actual.fallback) == (
            expected.lang,
            expected.hit_limit,
            expected.fallback,
        )
        # Of a text that was cut at its own limit, the score includes the tokens that were cut.
        assert actual.confidence == pytest.approx(expected.confidence, abs=0.02)
        assert actual.no_speech == pytest.approx(expected.no_speech, abs=1e-3)
        assert actual.compression_ratio == expected.compression_ratio


@model
@pytest.mark.parametrize("previous", [False, True])
@pytest.mark.usefixtures("without_fallback")
def test_the_sequential_algorithm_gives_what_transformers_gives(
    tiny_whisper: Checkpoint,
    clips: list[Utterance],
    previous: bool,
) -> None:
    options = {"decoding": "sequential", "condition_on_previous_text": previous}
    for actual, expected in zip(
        build_ctranslate2(**options).transcribe(tiny_whisper, clips[:4]),
        build_whisper(**options).transcribe(tiny_whisper, clips[:4]),
        strict=True,
    ):
        assert actual.segments and actual.segments == expected.segments
        assert actual.pred_text == expected.pred_text
        assert actual.confidence == pytest.approx(expected.confidence, abs=0.02)


@model
def test_no_text_is_longer_than_its_own_clip_allows(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    """Random weights never end a text: short clips must not use the limit of a long one."""
    from twister_loop.asr.whisper.decoding import EXTRA_TOKENS, MAX_TOKENS_PER_SECOND

    longer = replace(clips[0], duration=max(clip.duration for clip in clips))
    recognizer = build_ctranslate2(decode_batch=12)
    transcribed = list(recognizer.transcribe(tiny_whisper, [longer, *clips[1:]]))
    for utterance in transcribed:
        limit = EXTRA_TOKENS + MAX_TOKENS_PER_SECOND * (utterance.duration + 0.1)
        assert len(utterance.pred_text or "") <= limit
    assert any(utterance.hit_limit for utterance in transcribed)


@model
def test_a_model_is_converted_once_and_then_read_from_the_cache(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    first = list(build_ctranslate2().transcribe(tiny_whisper, clips[:1]))
    (converted,) = (cache_folder() / "ctranslate2").iterdir()
    written = (converted / "model.bin").stat().st_mtime_ns
    assert list(build_ctranslate2().transcribe(tiny_whisper, clips[:1])) == first
    assert (converted / "model.bin").stat().st_mtime_ns == written


@model
def test_a_folder_without_a_model_is_an_error(tmp_path: Path, clips: list[Utterance]) -> None:
    with pytest.raises(EngineError, match="not a Whisper model"):
        list(build_ctranslate2().transcribe(Checkpoint("whisper", tmp_path), clips))


@model
def test_only_margins_that_the_model_was_trained_for_are_tried(tiny_whisper: Checkpoint) -> None:
    """Nothing below 5 s for a pretrained model; a trained one stores its smallest margin."""
    for recognizer in (build_ctranslate2(), build_whisper()):
        variants = recognizer.faster_variants(tiny_whisper)
        descriptions = [variant.decoding_description() for variant in variants]
        margins = [description.split(", ")[1] for description in descriptions]
        assert margins == ["margin 5 s", "margin 10 s"]
    config = tiny_whisper.location / "config.json"
    before = config.read_text()
    write_json({**read_json(config), "trained_margin": 2.0}, config)
    try:
        fastest = build_whisper().faster_variants(tiny_whisper)[0].decoding_description()
    finally:
        config.write_text(before)
    assert fastest.startswith("greedy, margin 2 s")


@model
def test_ctranslate2_cannot_be_the_recognizer_that_is_trained(world: Path) -> None:
    world.write_text(yaml.safe_dump(yaml.safe_load(world.read_text()) | {"asr": "ctranslate2"}))
    with pytest.raises(ConfigError, match="ctranslate2 cannot be trained; it can be the `labeler`"):
        load(world)


@pytest.mark.pretrained
def test_8_bit_weights_transcribe_nearly_as_full_ones(prompts: list[Utterance]) -> None:
    checkpoint = build_whisper().initial_checkpoint()
    speech = [replace(prompt, lang=None) for prompt in prompts]
    fast = list(build_ctranslate2(compute_type="int8").transcribe(checkpoint, speech))
    slow = list(build_whisper().transcribe(checkpoint, speech))
    expected_langs = ["it"] * len(prompts)
    assert [utterance.lang for utterance in fast] == expected_langs
    assert [utterance.lang for utterance in slow] == expected_langs
    pairs = [(int8.pred_text, full.pred_text) for int8, full in zip(fast, slow, strict=True)]
    assert all(all(pair) for pair in pairs)
    counts = [metrics.count_character_errors(*pair) for pair in pairs]
    assert metrics.sum_counts(counts).rate < 0.1
