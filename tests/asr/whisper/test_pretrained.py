"""Whisper base with its real weights on real speech."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.asr.whisper.builders import build_whisper
from twister_loop.audio import io as audio
from twister_loop.core.errors import ConfigError
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.evaluation import metrics
from twister_loop.evaluation.timestamps import count_correct_timestamps
from twister_loop.text.normalizers.basic import Basic

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.pretrained

DECLARATION = Path(__file__).parents[2] / "data" / "filters" / "declaration.json"


@pytest.fixture(scope="module")
def whisper_base() -> Checkpoint:
    try:
        return build_whisper().initial_checkpoint()
    except ConfigError as cause:
        pytest.skip(str(cause))


def test_packaged_weights_become_a_folder_that_transformers_reads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, whisper_base: Checkpoint
) -> None:
    from transformers import AutoProcessor, GenerationConfig

    if not (whisper_base.source or "").startswith("the packages"):
        pytest.skip("the hub gives the weights")
    monkeypatch.setenv("TWISTER_CACHE", str(tmp_path))
    converted = build_whisper().initial_checkpoint()
    assert [path.name for path in tmp_path.iterdir()] == [converted.location.name]
    assert converted.digest == whisper_base.digest
    tokenizer = AutoProcessor.from_pretrained(converted.location).tokenizer
    generation_config = GenerationConfig.from_pretrained(converted.location)
    italian = tokenizer.convert_tokens_to_ids("<|it|>")
    assert generation_config.lang_to_id["<|it|>"] == italian == 50274
    assert len(generation_config.suppress_tokens) == 88
    assert len(generation_config.alignment_heads) == 8


def test_real_weights_transcribe_real_speech(
    whisper_base: Checkpoint, prompts: list[Utterance]
) -> None:
    transcribed = list(build_whisper(precision="auto").transcribe(whisper_base, prompts))
    errors = metrics.sum_counts(
        [metrics.count_utterance_errors(utterance) for utterance in transcribed]
    )
    assert errors.rate < 0.15
    assert all(
        utterance.confidence and utterance.confidence > -1
        for utterance in transcribed
        if not utterance.fallback
    )


def test_real_weights_time_the_speech_in_standard_decoding_only(
    whisper_base: Checkpoint, prompts: list[Utterance], tmp_path: Path
) -> None:
    # Whisper base gives starts of 0.00 and ends in whole seconds, mostly. So a long silence before
    # the speech is missed, and some ends are further away than half a second.
    quiet = np.random.default_rng(1)
    padded = []
    for prompt in [prompt for prompt in prompts if prompt.duration > 1.0]:
        speech = audio.load_utterance(prompt)
        with_silence = np.pad(speech, (round(0.3 * 16_000), 2 * 16_000))
        with_silence += quiet.normal(0, 1e-3, len(with_silence)).astype(np.float32)
        path = tmp_path / f"{prompt.id}.wav"
        seconds = audio.write(with_silence, path)
        padded.append(replace(prompt, audio_filepath=path, offset=0.0, duration=seconds))
    own = build_whisper()
    standard = own.full_window()
    assert standard
    in_windows = count_correct_timestamps(standard.transcribe(whisper_base, padded))
    assert in_windows.share >= 0.5 and in_windows.total == len(padded)
    assert count_correct_timestamps(own.transcribe(whisper_base, padded[:2])).count == 0


def test_the_batch_size_does_not_change_transcripts_of_real_speech(
    whisper_base: Checkpoint, prompts: list[Utterance]
) -> None:
    alone, batched = (
        [
            utterance.pred_text
            for utterance in build_whisper(decode_batch=size).transcribe(whisper_base, prompts[:5])
        ]
        for size in (1, 4)
    )
    assert alone == batched


def test_real_weights_detect_the_language(
    whisper_base: Checkpoint, prompts: list[Utterance]
) -> None:
    long = [replace(prompt, lang=None) for prompt in prompts if prompt.duration > 3.0]
    transcribed = list(build_whisper(precision="auto").transcribe(whisper_base, long))
    assert transcribed
    assert {utterance.lang for utterance in transcribed} == {"it"}


def test_real_weights_prefer_the_spoken_text(
    whisper_base: Checkpoint, prompts: list[Utterance]
) -> None:
    spoken = max(prompts, key=lambda prompt: prompt.duration)
    reversed_text = " ".join(reversed((spoken.text or "").split()))
    speech = [spoken, replace(spoken, text=reversed_text)]
    right, wrong = build_whisper(precision="auto").align(whisper_base, speech)
    right_logprob = sum(word.logprob for word in right.words)
    assert right_logprob > 5 + sum(word.logprob for word in wrong.words)
    starts = [word.start for word in right.words]
    assert starts == sorted(set(starts))
    assert right.words[-1].end > 0.7 * spoken.duration


def test_no_right_text_of_five_seconds_exceeds_the_token_limit_in_any_script(
    whisper_base: Checkpoint,
) -> None:
    """Whisper spells many scripts byte by byte: a second of Tibetan takes over 50 tokens."""
    from twister_loop.asr.whisper.decoding import max_text_tokens
    from twister_loop.asr.whisper.model import WhisperProcessing

    declaration = json.loads(DECLARATION.read_text(encoding="utf-8"))
    whisper = WhisperProcessing.from_folder(Path(whisper_base.location))
    most_tokens = 0.0
    for lang, (text, seconds) in declaration.items():
        quarter = text[: len(text) // 4]
        duration = 0.8 * seconds / 4
        tokens = len(whisper.tokenizer(quarter, add_special_tokens=False).input_ids) + 1
        limit = max_text_tokens(whisper, int(duration * audio.SAMPLE_RATE))
        assert tokens <= limit, lang
        most_tokens = max(most_tokens, tokens / duration)
    assert most_tokens > 50


@pytest.mark.parametrize("options", [{}, {"long_form": "segments"}])
def test_a_recording_over_a_minute_is_transcribed_whole(
    prompts: list[Utterance], whisper_base: Checkpoint, tmp_path: Path, options: dict[str, str]
) -> None:
    pause = np.zeros(audio.SAMPLE_RATE // 2, np.float32)
    clips = [part for prompt in prompts for part in (audio.load_utterance(prompt), pause)]
    path = tmp_path / "joined.wav"
    duration = audio.write(np.concatenate(clips), path)
    assert duration > 60.0
    recording = Utterance(id="a", audio_filepath=path, duration=duration, lang="it")
    [transcribed] = build_whisper(**options).transcribe(whisper_base, [recording])
    assert transcribed.error is None and transcribed.pred_text
    normalizer = Basic()
    errors = metrics.count_character_errors(
        normalizer.normalize(" ".join(prompt.text or "" for prompt in prompts), "it"),
        normalizer.normalize(transcribed.pred_text, "it"),
    )
    assert errors.rate < 0.1
    times = [time for part in transcribed.segments for time in (part.start, part.end)]
    assert times == sorted(times) and times[0] >= 0.0 and 55.0 < times[-1] <= duration
    assert len(transcribed.segments) > 2


def test_speech_after_a_minute_of_silence_is_found(
    prompts: list[Utterance], whisper_base: Checkpoint, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).normal(0, 1e-3, 62 * audio.SAMPLE_RATE).astype(np.float32)
    path = tmp_path / "late.wav"
    prompt = prompts[6]
    duration = audio.write(np.concatenate([noise, audio.load_utterance(prompt)]), path)
    recording = Utterance(id="a", audio_filepath=path, duration=duration, lang="it")
    [by_segments] = build_whisper(long_form="segments").transcribe(whisper_base, [recording])
    assert by_segments.segments[0].start > 60.0
    assert "conferenza" in (by_segments.pred_text or "")
