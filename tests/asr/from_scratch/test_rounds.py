"""Rounds and studies whose recognizer is trained from scratch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.asr.from_scratch.tiny_models import tiny_recognizer
from tests.asr.from_scratch.whistles import write_whistles
from twister_loop.core.artifacts import read_json
from twister_loop.core.manifest import Manifest

pytest.importorskip("torch")
pytest.importorskip("torchaudio")
pytestmark = pytest.mark.model

PLAN = """
language: ko
pool: pool
human: human
development: {dev: dev}
minimum_utterances: 1
asr: {use: deepspeech2, hidden: 16, layers: 1, unit: grapheme, epochs: 1, batch: 2}
normalizer: korean
gates: [no_regression, significant, sane_output]
"""
TEXTS = {
    "pool": ["오늘 날씨가 좋다", "내일 비가 온다"],
    "human": ["한글 소리를 듣다", "나무와 바다를 보다", "하나 둘 셋 넷"],
    "dev": ["저녁에 노래를 하다", "구름이 달을 가리다"],
}


@pytest.fixture
def plan_path(tmp_path: Path) -> Path:
    for folder, texts in TEXTS.items():
        write_whistles(texts, tmp_path / folder)
        if folder != "pool":
            rows = [{"file_name": f"{n}.wav", "text": text} for n, text in enumerate(texts)]
            lines = "".join(f"{json.dumps(row)}\n" for row in rows)
            (tmp_path / folder / "metadata.jsonl").write_text(lines)
    (tmp_path / "plan.yaml").write_text(PLAN)
    return tmp_path / "plan.yaml"


def test_a_study_measures_every_epoch_and_other_models_from_scratch(
    plan_path: Path, tmp_path: Path
) -> None:
    from twister_loop import load
    from twister_loop.pipeline.experiments.fine_tuning import run_study

    plan = load(plan_path)
    asr = replace(plan.asr, epochs=2, average=2)  # type: ignore[type-var]
    las = tiny_recognizer("las", epochs=1)
    study = run_study(replace(plan, asr=asr), tmp_path / "study", [las])
    models = ["zero-shot", "epoch 1", "epoch 2", "fine-tuned", "from scratch: las"]
    assert [row.model for row in study.rows] == models
    folders = [tmp_path / "study" / f"epoch-0{number}-report" for number in (1, 2)]
    first, second = (read_json(folder / "made.json")["from"]["checkpoint"] for folder in folders)
    assert first["digest"].endswith(" epoch-01") and first["digest"][:16] == second["digest"][:16]


def test_a_first_round_trains_on_human_speech_and_its_candidate_is_judged(
    plan_path: Path, tmp_path: Path
) -> None:
    from twister_loop import load, refine

    [completed] = refine(load(plan_path), tmp_path / "run")
    untouched = Manifest.load(completed.folder / "untouched/development/dev")
    assert [clip.pred_text for clip in untouched] == ["", ""]
    report = read_json(completed.folder / "untouched/report.json")
    assert report["scores"][0]["characters"]["hits"] == 0
    training_set = Manifest.load(completed.folder / "filtered_labels")
    assert [clip.text for clip in training_set] == TEXTS["human"]
    rejected = read_json(completed.folder / "filtered_labels/funnel.json")["rejected"]
    assert rejected == {"confidence": {"utterances": 2, "duration": pytest.approx(4.08, abs=3)}}
    assert completed.candidate.engine == "deepspeech2"
    assert completed.report.scores[0].decoding == "greedy CTC"
    assert not completed.verdict.accepted  # after two steps it transcribes no better than before


def test_the_measured_models_of_a_comparison_have_had_equally_many_updates(
    plan_path: Path, tmp_path: Path
) -> None:
    from twister_loop import load
    from twister_loop.pipeline.experiments.arms import CompareOptions
    from twister_loop.pipeline.experiments.compare import compare

    rows = [{"file_name": f"{n}.wav", "text": text} for n, text in enumerate(TEXTS["pool"])]
    listing = "".join(f"{json.dumps(row)}\n" for row in rows)
    (tmp_path / "pool" / "metadata.jsonl").write_text(listing)
    write_whistles([text := "바람이 분다"], tmp_path / "test")
    row = json.dumps({"file_name": "0.wav", "text": text})
    (tmp_path / "test" / "metadata.jsonl").write_text(row)
    plan = load(plan_path, {"test": {"test": "test"}, "pool_references": "pool"})
    arms = ("supervised", "2 rounds, from champion", "2 rounds, from untouched")
    comparison = compare(plan, tmp_path / "arms", CompareOptions(updates=4, rounds=2, arms=arms))
    assert not comparison.failures
    assert {
        training.arm: (seed.updates, seed.updates_in_total)
        for training in comparison.trainings
        for seed in training.seeds
    } == dict(zip(arms, [(4, 4), (4, 4), (4, 8)], strict=True))
    assert not any("updates" in note for note in comparison.notes)
