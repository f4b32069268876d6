"""Trials of voices and decoders: what passes at the limits, and what the sentence tells."""

from __future__ import annotations

import pytest

from twister_loop.core.types import ErrorCount
from twister_loop.evaluation.trials import DecoderAttempt, DecoderTrial, VoiceTrial


def make_trial(*, synthesized: int, wrong: int) -> VoiceTrial:
    characters = ErrorCount(hits=100 - wrong, substitutions=wrong, deletions=0, insertions=0)
    return VoiceTrial("splice", 32, synthesized, characters, limit=0.35, least_share=0.25)


@pytest.mark.parametrize(
    ("synthesized", "wrong", "passed"),
    [(32, 0, True), (8, 35, True), (7, 0, False), (32, 36, False), (0, 0, False)],
)
def test_a_voice_passes_that_is_understood_and_speaks_enough_texts(
    synthesized: int, wrong: int, passed: bool
) -> None:
    assert make_trial(synthesized=synthesized, wrong=wrong).passed is passed


def test_the_sentence_tells_errors_share_and_limits() -> None:
    assert str(make_trial(synthesized=7, wrong=12)) == (
        "voice splice: CER 0.12, limit 0.35; speaks 7 of 32 trial texts (22%), at least 25%: "
        "failed, so the voice is not used"
    )


def test_the_sentence_tells_no_errors_of_a_voice_that_was_not_trained() -> None:
    trial = VoiceTrial("splice", 32, 3, ErrorCount(), limit=0.35, least_share=0.25)
    assert not trial.passed and str(trial).startswith("voice splice: speaks 3 of 32 trial texts")


@pytest.mark.parametrize(
    ("wrong", "right", "suggested"),
    [(4, 96, None), (5, 95, None), (6, 94, 0.06), (9, 94, 0.09), (15, 85, 0.15), (16, 84, None),
     (0, 0, None)],
)  # fmt: skip
def test_a_limit_is_suggested_for_a_decoder_that_is_not_far_off(
    wrong: int, right: int, suggested: float | None
) -> None:
    far = DecoderAttempt("margin 1 s", 0, ErrorCount(substitutions=50, hits=50))
    close = DecoderAttempt("margin 5 s", 0, ErrorCount(substitutions=wrong, hits=right))
    trial = DecoderTrial("margin 30 s", clips=9, limit=0.05, attempts=(far, close))
    assert trial.suggested_limit == suggested
    if suggested is not None:
        assert DecoderTrial("margin 30 s", 9, suggested, (far, close)).chosen == 1
