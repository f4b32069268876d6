"""Beam search in CTranslate2: its texts and log-probabilities are those of transformers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.asr.whisper.builders import load_model
from twister_loop.asr._base import Recognizer
from twister_loop.core.errors import ConfigError
from twister_loop.core.types import Checkpoint, Utterance

torch = pytest.importorskip("torch")
pytest.importorskip("ctranslate2")
pytestmark = [pytest.mark.model, pytest.mark.usefixtures("own_cache")]

BEAM = 4
WEIGHTS = [("tiny_whisper", 3), ("ending_whisper", 12)]
"""Models, and how many clips they decode: without an end every text is as long as it may be."""


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Converted tiny weights do not belong in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWISTER_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def ending_whisper(
    tiny_whisper: Checkpoint, tmp_path_factory: pytest.TempPathFactory
) -> Checkpoint:
    """Random weights that end their texts after some tokens, unlike those of `tiny_whisper`."""
    whisper, folder = load_model(tiny_whisper), tmp_path_factory.mktemp("ending-whisper")
    decoder = whisper.model.model.decoder
    with torch.no_grad():
        torch.manual_seed(1)
        end = decoder.embed_tokens.weight[whisper.end_token]
        end.copy_(torch.randn(len(end)) * 0.3)
        # Logits are products with the embeddings, so this adds 4 to that of the end token.
        decoder.layer_norm.bias += 4 * end / (end @ end)
    whisper.model.save_pretrained(folder)
    whisper.processor.save_pretrained(folder)
    return replace(tiny_whisper, location=folder, digest="1")


def transcribe_with_beam(
    engine: str, checkpoint: Checkpoint, clips: list[Utterance], **options: object
) -> list[Utterance]:
    float32 = {"precision": "float32"} if engine == "whisper" else {"compute_type": "float32"}
    recognizer = Recognizer.build({"use": engine, **float32, **options}).with_beam(BEAM, nbest=BEAM)
    assert recognizer is not None
    assert recognizer.decoding_description().startswith(f"beam of {BEAM}, ")
    return list(recognizer.transcribe(checkpoint, clips))


@pytest.mark.parametrize(("weights", "count"), WEIGHTS)
def test_best_texts_and_log_probabilities_are_those_of_transformers(
    weights: str, count: int, request: pytest.FixtureRequest, clips: list[Utterance]
) -> None:
    checkpoint, clips = request.getfixturevalue(weights), clips[:count]
    actual, expected = (
        transcribe_with_beam(engine, checkpoint, clips) for engine in ("ctranslate2", "whisper")
    )
    shared = 0
    for fast, slow in zip(actual, expected, strict=True):
        assert fast.pred_text and fast.pred_text == slow.pred_text
        assert (fast.lang, fast.hit_limit, fast.fallback) == (
            slow.lang,
            slow.hit_limit,
            slow.fallback,
        )
        assert fast.confidence == pytest.approx(slow.confidence, abs=1e-3)
        assert fast.alternatives[0].text == fast.pred_text
        logprobs = {alternative.text: alternative.logprob for alternative in slow.alternatives}
        for alternative in fast.alternatives:
            if alternative.text in logprobs:
                assert alternative.logprob == pytest.approx(logprobs[alternative.text], abs=1e-3)
                shared += 1
    # Not all: `beam_search` also takes ends that rank below the beam, and CTranslate2 does not.
    assert shared >= 0.8 * sum(len(slow.alternatives) for slow in expected)
    assert any(len(fast.alternatives) == BEAM for fast in actual)


@pytest.mark.usefixtures("without_fallback")
def test_windows_of_long_recordings_are_those_of_transformers(
    ending_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    actual, expected = (
        transcribe_with_beam(engine, ending_whisper, clips[:4], decoding="sequential")
        for engine in ("ctranslate2", "whisper")
    )
    assert [recording.segments for recording in actual] == [
        recording.segments for recording in expected
    ]
    assert any(recording.segments for recording in actual)


@pytest.mark.parametrize(("weights", "count"), WEIGHTS)
def test_a_clip_has_the_same_beam_whatever_is_decoded_beside_it(
    weights: str, count: int, request: pytest.FixtureRequest, clips: list[Utterance]
) -> None:
    """CTranslate2 knows one limit of length for a batch; a resumed window has other batches."""
    checkpoint, clips = request.getfixturevalue(weights), clips[:count]
    together = transcribe_with_beam("ctranslate2", checkpoint, clips)
    alone = [
        utterance
        for clip in clips[:2]
        for utterance in transcribe_with_beam("ctranslate2", checkpoint, [clip])
    ]
    assert [utterance.pred_text for utterance in together[:2]] == [
        utterance.pred_text for utterance in alone
    ]
    for in_batch, by_itself in zip(together, alone, strict=False):
        assert [alternative.text for alternative in in_batch.alternatives] == [
            alternative.text for alternative in by_itself.alternatives
        ]
        for left, right in zip(in_batch.alternatives, by_itself.alternatives, strict=True):
            assert left.logprob == pytest.approx(right.logprob, abs=1e-3)


def test_the_number_of_alternatives_and_the_plan_s_own_beam(
    ending_whisper: Checkpoint, clips: list[Utterance]
) -> None:
    recognizer = Recognizer.build(
        {"use": "ctranslate2", "compute_type": "float32", "beam": BEAM, "nbest": 2}
    )
    for utterance in recognizer.transcribe(ending_whisper, clips[:3]):
        assert 1 <= len(utterance.alternatives) <= 2
    greedy = recognizer.with_beam(1)
    assert greedy is not None
    assert not any(
        utterance.alternatives for utterance in greedy.transcribe(ending_whisper, clips[:3])
    )


def test_sampling_is_not_offered_and_nbest_is_at_most_the_beam() -> None:
    assert Recognizer.build({"use": "ctranslate2"}).with_beam(1, temperature=0.5) is None
    with pytest.raises(ConfigError, match="nbest must be at most the size of the beam, 2"):
        Recognizer.build({"use": "ctranslate2", "beam": 2, "nbest": 3})
