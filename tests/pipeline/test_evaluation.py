"""Evaluation: whole sets with the decoder of the loop, and a part of each in the full window."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import pytest

from twister_loop import Checkpoint, Utterance
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.core.manifest import Manifest
from twister_loop.evaluation.outcomes import HeldOutSet
from twister_loop.pipeline.stages.evaluation import evaluate
from twister_loop.text.normalizers.basic import Basic


@dataclass(frozen=True)
class Windowed(ToyRecognizer):
    """A toy recognizer that can also decode in the full window."""

    def full_window(self) -> Self:
        return replace(self)


@pytest.mark.parametrize(("requested", "decoded"), [(3, 3), (8, 8), (100, 8), (True, 8), (0, 0)])
def test_the_requested_number_of_utterances_is_also_decoded_in_the_full_window(
    tmp_path: Path, requested: bool | int, decoded: int
) -> None:
    clip = tmp_path / "clip.wav"
    seconds = audio.write(toy_language.synthesize("a e i", toy_language.standard_codebook()), clip)
    lines = [
        Utterance(id=str(number), audio_filepath=clip, duration=seconds, text="a e i", lang="it")
        for number in range(8)
    ]
    sets = {"dev": HeldOutSet("development", Manifest.write(lines, tmp_path / "dev"))}
    checkpoint = Checkpoint("toy", source="the toy language")
    report = evaluate(Windowed(), checkpoint, sets, Basic(), requested, out=tmp_path / "report")
    assert report.scores[0].utterances == 8
    assert [score.utterances for score in report.full_window] == [decoded] * bool(decoded)
    for score in report.full_window:
        assert score.lang == "it"
