"""What plans get that they do not mention."""

from __future__ import annotations

from pathlib import Path

import pytest

from twister_loop.pipeline.plan import Plan
from twister_loop.pipeline.plan_reader import load
from twister_loop.pipeline.stages.rescoring import RescoringOptions


def read(folder: Path, more: str, asr: str = "{use: whisper, model: openai/whisper-base}") -> Plan:
    path = folder / "plan.yaml"
    path.write_text(f"pool: pool/\nlanguage: it\nasr: {asr}\ndevelopment: {{dev: dev/}}\n{more}")
    return load(path)


@pytest.mark.parametrize(
    ("more", "options"),
    [
        ("texts: a.txt\n", RescoringOptions()),
        ("texts: a.txt\nrescore: true\n", RescoringOptions()),
        ("texts: a.txt\nrescore: {prompt_words: 0}\n", RescoringOptions(prompt_words=0)),
        ("texts: a.txt\nrescore: false\n", None),
        ("", None),
    ],
)
def test_texts_bring_rescoring_unless_the_plan_says_otherwise(
    tmp_path: Path, more: str, options: RescoringOptions | None
) -> None:
    assert read(tmp_path, more).rescore == options


@pytest.mark.parametrize("asr", ["toy", "conformer"])
def test_it_is_left_out_without_a_beam_or_without_trained_weights(tmp_path: Path, asr: str) -> None:
    assert read(tmp_path, "texts: a.txt\nvoices: {}\n", asr).rescore is None


@pytest.mark.parametrize(
    ("more", "asr", "averaging"),
    [
        ("", "{use: whisper, model: openai/whisper-base}", (2, 0.5)),
        ("trainings: 1\n", "{use: whisper, model: openai/whisper-base}", (1, 0.5)),
        ("interpolate: 1\n", "{use: whisper, model: openai/whisper-base}", (2, 1.0)),
        # The weights of epochs are those of a single training.
        ("", "{use: whisper, model: openai/whisper-base, keep_epochs: true}", (1, 1.0)),
        ("", "toy", (1, 1.0)),
        ("", "conformer", (1, 1.0)),
    ],
)
def test_whisper_averages_two_trainings_and_goes_half_way_unless_the_plan_says_otherwise(
    tmp_path: Path, more: str, asr: str, averaging: tuple[int, float]
) -> None:
    plan = read(tmp_path, more, asr)
    assert (plan.trainings, plan.interpolate) == averaging
