"""Rescoring of plans that do not mention it."""

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
