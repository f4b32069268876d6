"""Accuracy of timestamps, against where speech is found to begin and end."""

from dataclasses import replace
from importlib.util import find_spec

import pytest

from twister_loop import Utterance
from twister_loop.core.types import Proportion, Segment
from twister_loop.evaluation.timestamps import count_correct_timestamps

# Not importorskip: imported outside `audio.vad`, silero-vad leaves every test with one thread.
pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(find_spec("silero_vad") is None, reason="needs silero-vad"),
]


@pytest.mark.parametrize(
    ("segments", "correct"),
    [
        ([(1.0, 4.0)], 1),
        ([(0.5, 4.5)], 1),
        ([(1.2, 2.0), (2.0, 3.8)], 1),
        ([(0.4, 4.0)], 0),
        ([(1.0, 4.6)], 0),
        ([(1.0, 2.0), (2.0, 3.4)], 0),
        ([], 0),
    ],
)
def test_the_first_start_and_the_last_end_must_be_within_half_a_second(
    monkeypatch: pytest.MonkeyPatch, segments: list[tuple[float, float]], correct: int
) -> None:
    monkeypatch.setattr("twister_loop.audio.vad.find_speech_bounds", lambda utterance: (1.0, 4.0))
    transcribed = Utterance(
        id="1",
        duration=6.0,
        pred_text="a text",
        segments=tuple(Segment(start=start, end=end, text="a") for start, end in segments),
    )
    assert count_correct_timestamps([transcribed]) == Proportion(correct, 1)


def test_an_end_that_was_not_predicted_is_wrong_wherever_it_lies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A model that has forgotten timestamps writes a start, which is forced, and no end."""
    monkeypatch.setattr("twister_loop.audio.vad.find_speech_bounds", lambda utterance: (0.0, 4.0))
    segment = Segment(start=0.0, end=4.0, text="a")
    predicted = Utterance(id="1", duration=4.0, segments=(segment,))
    forgotten = replace(predicted, segments=(replace(segment, has_end=False),))
    assert count_correct_timestamps([predicted, forgotten]) == Proportion(1, 2)


def test_an_utterance_without_speech_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twister_loop.audio.vad.find_speech_bounds", lambda utterance: None)
    hallucinated = Utterance(id="1", segments=(Segment(start=0.0, end=1.0, text="a"),))
    assert count_correct_timestamps([hallucinated]) == Proportion(0, 0)


def test_a_window_whose_text_has_no_end_is_told() -> None:
    from types import SimpleNamespace

    from twister_loop.asr.whisper.timestamps import split_at_timestamps

    tokens = SimpleNamespace(first_timestamp_token=100, end_token=99)
    [complete] = split_at_timestamps(tokens, [100, 1, 2, 150], 5.0).segments  # type: ignore[arg-type]
    assert (complete.start, complete.end, complete.has_end) == (0.0, 1.0, True)
    [unfinished] = split_at_timestamps(tokens, [100, 1, 2], 5.0).segments  # type: ignore[arg-type]
    assert (unfinished.end, unfinished.has_end) == (5.0, False)
