"""The sequential algorithm: places of windows, segments, fallback, previous text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.asr.whisper.builders import build_whisper
from twister_loop.audio import io as audio
from twister_loop.core.types import Checkpoint, Utterance

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.model


def write_noise(folder: Path, name: str, seconds: float) -> Utterance:
    path = folder / f"{name}.wav"
    seed = sum(map(ord, name))
    samples = np.random.default_rng(seed).normal(0, 0.1, round(16_000 * seconds))
    audio.write(samples.astype(np.float32), path)
    return Utterance(id=name, audio_filepath=path, duration=seconds, lang="it")


@dataclass
class Script:
    """Decoder whose windows are written down: (text and times, statistics) of each in turn."""

    whisper: Any
    windows: list[tuple[Sequence[str | float], dict[str, float]]]
    prompts: list[list[int]] = field(default_factory=list)
    limits: list[int] = field(default_factory=list)

    def __call__(
        self, *, previous_tokens: Sequence[list[int]], limits: Sequence[int], **_: Any
    ) -> list[Any]:
        from twister_loop.asr.whisper.decoding import Hypothesis

        self.prompts += previous_tokens
        self.limits += limits
        parts, statistics = self.windows.pop(0)
        tokens: list[int] = []
        for part in parts:
            if isinstance(part, str):
                tokens += self.whisper.tokenize(part, "it")
            else:
                tokens.append(self.whisper.first_timestamp_token + round(part / 0.02))
        values = {"confidence": -0.3, "no_speech": 0.1, **statistics}
        tokens.append(self.whisper.end_token)
        return [
            Hypothesis(tokens, self.whisper.detokenize(tokens), "it", hit_limit=False, **values)
        ]


Run = Callable[..., tuple[Utterance, Script]]


@pytest.fixture
def run(tiny_whisper: Checkpoint, tmp_path: Path) -> Run:
    """Return a function that transcribes noise of some seconds with a script."""
    from twister_loop.asr.whisper.model import WhisperProcessing
    from twister_loop.asr.whisper.sequential import Attempt, transcribe_sequentially

    whisper = WhisperProcessing.from_folder(tiny_whisper.location)

    def transcribe(
        seconds: float, *windows: Any, temperatures: Sequence[float] = (0.0,), **options: Any
    ) -> tuple[Utterance, Script]:
        script = Script(whisper, list(windows))
        [transcribed] = transcribe_sequentially(
            whisper,
            [Attempt(script, temperature) for temperature in temperatures],
            [write_noise(tmp_path, "noise", seconds)],
            batch_size=2,
            with_previous_text=options.get("with_previous_text", False),
        )
        assert not script.windows, "not every window was decoded"
        return transcribed, script

    return transcribe


def times(utterance: Utterance) -> list[tuple[float, float, str]]:
    return [(segment.start, segment.end, segment.text) for segment in utterance.segments]


def test_a_window_begins_where_the_last_timestamp_lies(run: Run) -> None:
    transcribed, _ = run(
        50.0,
        ([0.0, "uno", 10.0, 10.0, "due", 28.5, 28.5, "tr"], {}),
        ([0.0, "tre", 4.0, 4.5, "quattro", 21.5], {}),
    )
    assert times(transcribed) == [
        (0.0, 10.0, "uno"),
        (10.0, 28.5, "due"),
        (28.5, 32.5, "tre"),
        (33.0, 50.0, "quattro"),
    ]
    assert transcribed.pred_text == "uno due tre quattro"
    assert not transcribed.fallback and not transcribed.hit_limit


def test_times_stay_within_the_recording_and_in_order(run: Run) -> None:
    transcribed, _ = run(3.0, ([0.5, "uno", 2.0, 2.5, "due", 6.0], {}))
    assert times(transcribed) == [(0.5, 2.0, "uno"), (2.5, 3.0, "due")]


def test_silence_without_confidence_is_passed_over(run: Run) -> None:
    transcribed, _ = run(
        40.0,
        ([0.0, "you", 2.0], {"no_speech": 0.9, "confidence": -1.5}),
        ([0.0, "due", 8.0], {"no_speech": 0.9}),
        temperatures=(0.0, 0.2),
    )
    assert times(transcribed) == [(30.0, 38.0, "due")]
    assert transcribed.confidence == -0.3


def test_a_recording_of_silence_has_an_empty_text(run: Run) -> None:
    transcribed, _ = run(5.0, ([0.0, "you", 2.0], {"no_speech": 0.9, "confidence": -1.5}))
    assert (transcribed.pred_text, transcribed.segments) == ("", ())
    assert transcribed.no_speech == 0.9


def test_a_higher_temperature_is_tried_until_a_text_is_sure_and_varied(run: Run) -> None:
    transcribed, _ = run(
        10.0,
        ([0.0, "no " * 60, 9.0], {}),
        ([0.0, "forse", 9.0], {"confidence": -1.2}),
        ([0.0, "si", 9.0], {"confidence": -0.9}),
        temperatures=(0.0, 0.2, 0.4, 0.6),
    )
    assert transcribed.pred_text == "si" and transcribed.fallback


def test_if_all_fail_the_surest_text_that_does_not_repeat_itself_is_taken(run: Run) -> None:
    transcribed, _ = run(
        10.0,
        ([0.0, "no " * 60, 9.0], {}),
        ([0.0, "forse", 9.0], {"confidence": -1.2}),
        ([0.0, "mai", 9.0], {"confidence": -1.9}),
        temperatures=(0.0, 0.2, 0.4),
    )
    assert transcribed.pred_text == "forse"


def test_previous_text_is_the_prompt_until_the_temperature_was_high(run: Run) -> None:
    windows = [
        ([0.0, "uno", 30.0], {}),
        ([0.0, "due", 30.0], {"confidence": -1.2}),
        ([0.0, "due", 30.0], {}),
        ([0.0, "tre", 10.0], {}),
    ]
    _, script = run(70.0, *windows, temperatures=(0.0, 0.6), with_previous_text=True)
    tokens = script.whisper.tokenize("uno", "it")
    prompts = [[token for token in prompt if token < 256] for prompt in script.prompts]
    assert prompts == [[], tokens, tokens, []]
    # The prompt takes its room from the text.
    room = script.whisper.max_tokens - 3
    assert script.limits[0] <= room and script.limits[1] < room - len(script.prompts[1])
    _, without = run(70.0, *windows, temperatures=(0.0, 0.6))
    assert not any(without.prompts)


def test_recordings_that_cannot_be_read_have_an_error_and_the_others_a_text(
    tiny_whisper: Checkpoint, tmp_path: Path
) -> None:
    empty, broken = tmp_path / "empty.wav", tmp_path / "broken.wav"
    audio.write(np.zeros(0, np.float32), empty)
    broken.write_text("no audio")
    short = write_noise(tmp_path, "short", 0.05)
    speech = [
        Utterance(id="empty", audio_filepath=empty, lang="it"),
        Utterance(id="broken", audio_filepath=broken, duration=40.0, lang="it"),
        replace(short, lang="xx"),
        replace(short, error="before"),
        short,
    ]
    standard = build_whisper(decoding="sequential")
    transcribed = list(standard.transcribe(tiny_whisper, speech))
    errors = [utterance.error or "" for utterance in transcribed]
    for error, expected in zip(errors, ("empty", "cannot read", "'xx'", "before"), strict=False):
        assert expected in error
    assert transcribed[4].error is None and transcribed[4].pred_text is not None


@pytest.mark.parametrize("options", [{}, {"long_form": "segments"}, {"beam": 2}])
def test_a_text_does_not_depend_on_batch_and_neighbors(
    brief_whisper: Checkpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
) -> None:
    from twister_loop.asr.whisper import sequential

    # A random model is never sure: with the real limit it would try every temperature.
    monkeypatch.setattr(sequential, "MIN_CONFIDENCE", -9.0)
    monkeypatch.setattr(sequential, "TEMPERATURES", (0.0, 0.6))
    vad = pytest.importorskip("twister_loop.audio.vad")
    monkeypatch.setattr(vad, "find_segments", lambda *_: iter([(1.0, 3.0), (20.0, 4.0)]))
    speech = [write_noise(tmp_path, name, 30.5 + len(name)) for name in ("a", "bb")]
    speech.insert(1, write_noise(tmp_path, "short", 1.0))
    together = list(build_whisper(decode_batch=4, **options).transcribe(brief_whisper, speech))
    for utterance, alone in zip(together, speech, strict=True):
        [expected] = build_whisper(decode_batch=1, **options).transcribe(brief_whisper, [alone])
        assert (utterance.pred_text, utterance.segments) == (
            expected.pred_text,
            expected.segments,
        )
    assert [utterance.id for utterance in together] == ["a", "short", "bb"]
    assert not together[1].segments and together[2].segments


def test_sampled_texts_are_reproducible(tiny_whisper: Checkpoint, tmp_path: Path) -> None:
    speech = [write_noise(tmp_path, "a", 1.0)]
    sampling = build_whisper(decoding="sequential", temperature=0.8)
    first, second = (list(sampling.transcribe(tiny_whisper, speech)) for _ in range(2))
    assert first == second
