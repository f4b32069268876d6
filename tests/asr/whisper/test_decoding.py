"""Transcription with Whisper: the real code on tiny random weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.asr.whisper.builders import build_whisper
from twister_loop.core.manifest import WINDOW
from twister_loop.core.types import Checkpoint, Utterance

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model


def test_transcripts_come_in_the_order_of_the_clips(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    transcribed = list(build_whisper(decode_batch=5).transcribe(tiny_whisper, clips))
    assert [utterance.id for utterance in transcribed] == [clip.id for clip in clips]
    assert all(
        utterance.pred_text and utterance.confidence and not utterance.error
        for utterance in transcribed
    )


@pytest.mark.parametrize("options", [{}, {"beam": 3}, {"temperature": 1.0}])
def test_neither_the_batch_size_nor_the_neighbors_change_a_transcript(
    tiny_whisper: Checkpoint, clips: list[Utterance], options: dict[str, Any]
) -> None:
    """Clips of 0.3 to 1.3 s, which with the margin have two lengths of context."""
    speech = [
        replace(clip, lang="it" if number % 2 else None) for number, clip in enumerate(clips[:7])
    ]
    alone = build_whisper(margin=1.5, decode_batch=1, **options)
    expected = list(alone.transcribe(tiny_whisper, speech))
    assert len({utterance.pred_text for utterance in expected}) > len(speech) / 2
    for size in (2, 5):
        recognizer = build_whisper(margin=1.5, decode_batch=size, **options)
        batched = list(recognizer.transcribe(tiny_whisper, speech))
        for utterance, reference in zip(batched, expected, strict=True):
            assert (utterance.pred_text, utterance.lang) == (reference.pred_text, reference.lang)
            assert utterance.confidence == pytest.approx(reference.confidence, abs=2e-4)


def test_the_same_window_gives_the_same_lines(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    first, second = (list(build_whisper().transcribe(tiny_whisper, clips)) for _ in range(2))
    assert first == second


def test_transcribe_reads_ahead_at_most_one_window(
    tiny_whisper: Checkpoint, tmp_path: Path
) -> None:
    read_count = 0

    def read_missing_clips() -> Iterator[Utterance]:
        nonlocal read_count
        for read_count in range(1, 2 * WINDOW + 1):
            path = tmp_path / "no.wav"
            yield Utterance(id=str(read_count), audio_filepath=path, duration=1.0)

    first = next(build_whisper().transcribe(tiny_whisper, read_missing_clips()))
    assert first.error
    assert read_count == WINDOW


def test_clips_that_cannot_be_transcribed_have_an_error_and_the_others_a_transcript(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    not_audio = tmp_path / "noise.wav"
    not_audio.write_text("not audio")
    speech = [
        replace(clips[0], audio_filepath=not_audio),
        clips[1],
        replace(clips[3], lang="xx"),
        replace(clips[4], error="no voice could speak it"),
    ]
    transcribed = list(build_whisper().transcribe(tiny_whisper, speech))
    errors = [utterance.error for utterance in transcribed]
    assert errors[1] is None
    assert transcribed[1].pred_text
    for error, expected in zip(
        [errors[0], *errors[2:]],
        ("cannot read audio", "no language 'xx'", "no voice"),
        strict=True,
    ):
        assert error is not None
        assert expected in error


def test_a_missing_language_is_detected(tiny_whisper: Checkpoint, clips: list[Utterance]) -> None:
    speech = [replace(clip, lang=None) for clip in clips[:3]]
    transcribed = list(build_whisper().transcribe(tiny_whisper, speech))
    assert {utterance.lang for utterance in transcribed} <= {"en", "it", "zh"}


def test_the_language_has_its_probability(tiny_whisper: Checkpoint, clips: list[Utterance]) -> None:
    speech = [replace(clips[0], lang=lang) for lang in ("en", "it", "zh", None)]
    *forced, detected = build_whisper().transcribe(tiny_whisper, speech)
    probabilities = {utterance.lang: utterance.lang_probability or 0.0 for utterance in forced}
    # Roughly: some of the clips are decoded again in the full window.
    assert sum(probabilities.values()) == pytest.approx(1.0, abs=0.1)
    assert detected.lang == max(probabilities, key=lambda lang: probabilities[lang])
    assert detected.lang_probability == pytest.approx(max(probabilities.values()), abs=0.1)


def test_a_failed_decode_is_tried_again_and_marked(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    """Random weights have low confidence, or never end a text."""
    transcribed = list(build_whisper().transcribe(tiny_whisper, clips))
    for utterance in transcribed:
        assert utterance.confidence is not None
        assert utterance.compression_ratio is not None
        is_sane = (
            not utterance.hit_limit
            and utterance.confidence > -1
            and utterance.compression_ratio < 2.4
        )
        assert is_sane or utterance.fallback
    assert any(utterance.fallback for utterance in transcribed)


def test_the_repetition_guard_forbids_ngrams_that_occurred_before() -> None:
    from twister_loop.asr.whisper.decoder import repeating_tokens

    assert repeating_tokens([1, 2, 3, 1, 2], 3) == [3]
    assert repeating_tokens([1, 2, 3, 4], 3) == []
    assert repeating_tokens([1], 3) == []


def test_sampling_is_repeatable_and_differs_from_greedy_decoding(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    sampling = build_whisper().with_beam(1, 1.0)
    assert sampling is not None
    assert sampling.decoding_description().startswith("sampled at temperature 1")
    first, second = (list(sampling.transcribe(tiny_whisper, clips[:6])) for _ in range(2))
    greedy = list(build_whisper().transcribe(tiny_whisper, clips[:6]))
    assert first == second
    assert [utterance.pred_text for utterance in first] != [
        utterance.pred_text for utterance in greedy
    ]
