"""A checkpoint is measured: whole sets as the loop decodes, and some of each as everybody does."""

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
from twister_loop.reporting.dashboard.console import format_full_window
from twister_loop.text.normalizers.basic import Basic


@dataclass(frozen=True)
class Windowed(ToyRecognizer):
    """One that can also hear as everybody does."""

    def full_window(self) -> Self:
        return replace(self)


@pytest.mark.parametrize(("asked", "heard"), [(3, 3), (8, 8), (100, 8), (True, 8), (0, 0)])
def test_so_many_of_a_set_are_also_heard_as_everybody_does(
    tmp_path: Path, asked: bool | int, heard: int
) -> None:
    clip = tmp_path / "clip.wav"
    seconds = audio.write(toy_language.synthesize("a e i", toy_language.standard_codebook()), clip)
    lines = [
        Utterance(id=str(at), audio_filepath=clip, duration=seconds, text="a e i", lang="it")
        for at in range(8)
    ]
    sets = {"dev": HeldOutSet("development", Manifest.write(lines, tmp_path / "dev"))}
    checkpoint = Checkpoint("toy", source="the toy language")
    report = evaluate(Windowed(), checkpoint, sets, Basic(), asked, out=tmp_path / "report")
    assert report.scores[0].utterances == 8
    assert [each.utterances for each in report.full_window] == [heard] * bool(heard)
    for each in report.full_window:
        assert each.lang == "it"
        assert format_full_window(each, report.scores[0]).endswith(" of 3") == (heard == 3)
