"""Beam search with Whisper, on tiny random weights."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.asr.whisper.builders import build_whisper, load_model
from twister_loop.core.types import Checkpoint, Utterance

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model


def test_a_beam_finds_texts_that_are_on_average_more_probable_than_greedy_decoding(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    from twister_loop.asr.whisper.beam_search import decode_beams
    from twister_loop.asr.whisper.greedy_search import decode_greedily
    from twister_loop.asr.whisper.model import load_clip

    whisper = load_model(tiny_whisper)
    features = whisper.extract_features([load_clip(clip) for clip in clips[:4]], 2.5)
    langs, limits = ["it", None, "en", "it"], [12, 8, 12, 3]
    greedy = decode_greedily(whisper, features, langs, limits)
    beams_of_4 = decode_beams(whisper, 4, features, langs, limits)
    beams_of_1 = decode_beams(whisper, 1, features, langs, limits)
    assert [hypothesis.tokens for hypothesis in greedy] == [
        hypotheses[0].tokens for hypotheses in beams_of_1
    ]
    # Not in every clip: a beam may lose the best beginning of a longer text.
    assert sum(hypotheses[0].confidence for hypotheses in beams_of_4) > sum(
        hypothesis.confidence for hypothesis in greedy
    )
    for hypotheses, limit in zip(beams_of_4, limits, strict=True):
        assert 1 <= len(hypotheses) <= 4
        scores = [hypothesis.confidence for hypothesis in hypotheses]
        assert scores == sorted(scores, reverse=True)
        assert len({tuple(hypothesis.tokens) for hypothesis in hypotheses}) == len(hypotheses)
        assert all(len(hypothesis.tokens) <= limit for hypothesis in hypotheses)


def test_beam_search_keeps_the_order_and_is_repeatable(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    recognizer = build_whisper().with_beam(3)
    assert recognizer is not None
    assert recognizer.decoding_description().startswith("beam of 3")
    first, second = (list(recognizer.transcribe(tiny_whisper, clips)) for _ in range(2))
    assert first == second
    assert [utterance.id for utterance in first] == [clip.id for clip in clips]


def test_the_nbest_texts_are_stored_with_their_log_probabilities(
    tiny_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    with_nbest, without = build_whisper().with_beam(4, nbest=3), build_whisper().with_beam(4)
    assert with_nbest is not None and without is not None
    [utterance] = with_nbest.transcribe(tiny_whisper, clips[:1])
    texts = [alternative.text for alternative in utterance.alternatives]
    assert texts[0] == utterance.pred_text
    assert 1 < len(texts) <= 3 and len(set(texts)) == len(texts)
    assert all(alternative.logprob < 0 for alternative in utterance.alternatives)
    assert [replace(utterance, alternatives=())] == list(
        without.transcribe(tiny_whisper, clips[:1])
    )
