"""The same Whisper by CTranslate2: what it hears is what transformers hears."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from twister_loop import ConfigError, load
from twister_loop.asr._base import Recognizer
from twister_loop.core.artifacts import read_json, write_json
from twister_loop.core.cache import cache_folder
from twister_loop.core.errors import EngineError
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.evaluation import metrics

pytest.importorskip("torch")
pytest.importorskip("ctranslate2")


def model(test: Any) -> Any:
    """Tiny weights are not kept in the user's cache."""
    return pytest.mark.model(pytest.mark.usefixtures("own_cache")(test))


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWISTER_CACHE", str(tmp_path / "cache"))


def ct2(**options: Any) -> Recognizer:
    return Recognizer.build({"use": "ctranslate2", "compute_type": "float32", **options})


def whisper(**options: Any) -> Recognizer:
    return Recognizer.build({"use": "whisper", "precision": "float32", **options})


@model
def test_it_hears_what_transformers_hears_with_the_same_statistics(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    for one, other in zip(
        ct2().transcribe(tiny_whisper, clips),
        whisper().transcribe(tiny_whisper, clips),
        strict=True,
    ):
        assert one.pred_text and one.pred_text == other.pred_text
        assert (one.lang, one.hit_limit, one.fallback) == (
            other.lang,
            other.hit_limit,
            other.fallback,
        )
        assert one.confidence == pytest.approx(other.confidence, abs=0.02)  # of its whole batch
        assert one.no_speech == pytest.approx(other.no_speech, abs=1e-3)
        assert one.compression_ratio == other.compression_ratio


@model
def test_no_text_is_longer_than_its_clip_allows(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    """Random weights never end: a long clip beside short ones must not lend them its room."""
    longer = replace(clips[0], duration=max(each.duration for each in clips))
    together = list(ct2(decode_batch=12).transcribe(tiny_whisper, [longer, *clips[1:]]))
    assert all(len(each.pred_text or "") <= 32 + 20 * (each.duration + 0.1) for each in together)
    assert any(each.hit_limit for each in together)


@model
def test_what_was_converted_once_is_taken_from_the_cache(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    first = list(ct2().transcribe(tiny_whisper, clips[:1]))
    (made,) = (cache_folder() / "ctranslate2").iterdir()
    written = (made / "model.bin").stat().st_mtime_ns
    assert list(ct2().transcribe(tiny_whisper, clips[:1])) == first
    assert (made / "model.bin").stat().st_mtime_ns == written


@model
def test_a_folder_that_holds_no_model_is_a_sentence(tmp_path: Path, clips: list[Utterance]) -> None:
    with pytest.raises(EngineError, match="not a Whisper model"):
        list(ct2().transcribe(Checkpoint("whisper", tmp_path), clips))


@model
def test_what_it_was_trained_to_bear_is_what_is_tried(tiny_whisper: Checkpoint) -> None:
    """Nothing below 5 s for a model as it came; a trained one says what it bears."""
    for recognizer in (ct2(), whisper()):
        tried = [each.decoding_description() for each in recognizer.faster_variants(tiny_whisper)]
        assert [each.split(", ")[1] for each in tried] == ["margin 5 s", "margin 10 s"]
    config = tiny_whisper.location / "config.json"
    before = config.read_text()
    write_json({**read_json(config), "trained_margin": 2.0}, config)
    try:
        fastest = whisper().faster_variants(tiny_whisper)[0].decoding_description()
    finally:
        config.write_text(before)
    assert fastest.startswith("greedy, margin 2 s")


@model
def test_it_cannot_be_what_learns(world: Path) -> None:
    world.write_text(yaml.safe_dump(yaml.safe_load(world.read_text()) | {"asr": "ctranslate2"}))
    with pytest.raises(ConfigError, match="ctranslate2 only hears; it can be the `labeler`"):
        load(world)


@pytest.mark.pretrained
def test_eight_bits_hear_nearly_what_sixteen_hear(prompts: list[Utterance]) -> None:
    base, unknown = whisper().base(), [replace(each, lang=None) for each in prompts]
    fast = list(ct2(compute_type="int8").transcribe(base, unknown))
    slow = list(whisper().transcribe(base, unknown))
    assert [each.lang for each in fast] == [each.lang for each in slow] == ["it"] * len(prompts)
    said = [(one.pred_text, other.pred_text) for one, other in zip(fast, slow, strict=True)]
    assert all(all(pair) for pair in said)
    assert metrics.sum_counts([metrics.count_character_errors(*pair) for pair in said]).rate < 0.1
