"""A pretrained model that labels the pool in the place of the champion."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests import world as toy
from twister_loop import Utterance, load, next_round
from twister_loop.asr._base import BoundRecognizer
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.artifacts import read_json
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint
from twister_loop.data.filters._base import FilterContext
from twister_loop.data.filters.second_decode import SecondDecode
from twister_loop.errors import ConfigError, NothingNew
from twister_loop.pipeline.forecast import make_forecast
from twister_loop.reporting.summary import summarize
from twister_loop.types import Plan

LETTERS = "abcdefghijklmnopqrstuvwxyz "


@pytest.fixture
def taught(world: Path) -> Plan:
    """Plan whose teacher knows every letter, and whose recognizer knows vowels."""
    return load(world, {"teacher": {"use": "toy", "letters": LETTERS}, "rounds": 1})


def made(folder: Path) -> str:
    return (folder / "made.json").read_text()


def test_labels_are_the_teacher_s_and_synthetic_speech_is_checked_by_the_champion(
    taught: Plan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    done = next_round(taught, tmp_path / "run")
    texts = {label.text for label in Manifest(done.folder / "pseudo_labels")}
    assert texts and texts <= set(toy.POOL)
    assert LETTERS in made(done.folder / "pseudo_labels")
    verified = list(done.folder.glob("voices/*/verified"))
    assert verified and not any(LETTERS in made(folder) for folder in verified)
    assert "the teacher the toy language labels the pool with toy" in caplog.text
    [summary] = summarize(tmp_path / "run").rounds
    assert summary.teacher == "toy"


def test_without_a_teacher_the_champion_labels(
    plan: Plan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    next_round(plan, tmp_path / "run")
    assert "the champion labels the pool with toy" in caplog.text
    assert summarize(tmp_path / "run").rounds[0].teacher == ""
    assert not list((tmp_path / "run").glob("round-*/checker"))


def test_the_teacher_s_labels_are_decoded_again_by_the_teacher(tmp_path: Path) -> None:
    class Beams(ToyRecognizer):
        def with_beam(self, *_: Any, **__: Any) -> ToyRecognizer:
            return self

        def transcribe(self, checkpoint: Checkpoint, speech: Any) -> Any:
            assert checkpoint.source == "teacher"
            return iter(speech)

    teacher = BoundRecognizer(Beams(), Checkpoint("toy", source="teacher"))
    champion = BoundRecognizer(Beams(), Checkpoint("toy", source="champion"))
    label = Utterance(id="1", text="aei", pred_text="aei")
    context = FilterContext(champion, labeler=teacher)
    assert list(SecondDecode().objections([label], context)) == [None]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"asr": {"use": "whisper"}, "labeler": {"use": "whisper", "model": "openai/x"}},
            "to label with another model, name it as `teacher`",
        ),
        (
            {"labeler": {"use": "ctranslate2"}},
            "labeler: ctranslate2 cannot decode weights of toy; to label with another model",
        ),
        (
            {"teacher": {"use": "transducer"}},
            "teacher: transducer starts from random weights; name a pretrained model",
        ),
        (
            {"teacher": {"use": "toy"}, "rescore": {}},
            "rescore: toy has no beam search with alternatives",
        ),
        ({"teacher": {"use": "toy", "leters": "a"}}, "teacher.leters: "),
    ],
)
def test_mistakes_are_told_with_the_plan(
    world: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        load(world, changes)


def test_a_decoder_without_prompts_is_told_how_to_rescore(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ToyRecognizer, "with_beam", lambda self, *_, **__: self)
    message = "rescore: toy decodes after no prompt; set `prompt_words: 0`"
    with pytest.raises(ConfigError, match=re.escape(message)):
        load(world, {"rescore": {}})
    load(world, {"rescore": {"prompt_words": 0}})


def test_a_teacher_that_lacks_the_language_is_refused_before_the_round(
    taught: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported_reason(self: ToyRecognizer, _: Checkpoint) -> Any:
        return lambda utterance: "no such language" if self.letters == LETTERS else None

    monkeypatch.setattr(ToyRecognizer, "unsupported_reason", unsupported_reason)
    message = "teacher: it can transcribe nothing of the pool: no such language"
    with pytest.raises(ConfigError, match=message):
        next_round(taught, tmp_path / "run")
    problems = make_forecast(taught).problems
    assert "language: the teacher cannot transcribe it: no such language" in problems


def test_a_second_model_that_lacks_the_language_is_refused_before_the_round(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported_reason(self: ToyRecognizer, _: Checkpoint) -> Any:
        return lambda utterance: "no such language" if self.letters == LETTERS else None

    monkeypatch.setattr(ToyRecognizer, "unsupported_reason", unsupported_reason)
    second_model = {"use": "second_model", "asr": {"use": "toy", "letters": LETTERS}}
    plan = load(world, {"filters": {"pseudo": ["default", second_model]}})
    message = "second_model: it can transcribe nothing of the pool: no such language; name a model"
    with pytest.raises(ConfigError, match=message):
        next_round(plan, tmp_path / "run")
    problems = make_forecast(plan).problems
    assert "language: the filter second_model cannot transcribe it: no such language" in problems


def test_weights_of_the_teacher_are_looked_for_before_the_round(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    plan = load(world, {"teacher": {"use": "whisper", "model": "nobody/whisper-none"}})
    forecast = make_forecast(plan)
    assert forecast.weights["teacher"].problem
    assert any(problem.startswith("teacher: ") for problem in forecast.problems)
    with pytest.raises(ConfigError, match=r"^teacher: "):
        next_round(plan, tmp_path / "run")


def test_labeling_takes_the_time_of_the_teacher(world: Path) -> None:
    from twister_loop.pipeline.round_time import estimate_slowness

    plan = load(world, {"teacher": {"use": "whisper", "model": "openai/whisper-large-v3"}})
    forecast = make_forecast(plan)
    parameters = forecast.weights["teacher"].parameters
    assert parameters and forecast.memory_needed and forecast.memory_needed >= 4 * parameters
    pool = next(amount for amount in forecast.data if amount.place == "pool")
    expected = estimate_slowness(parameters) * pool.duration / 17.0
    assert forecast.time.seconds["labeling"] == pytest.approx(expected)


def test_the_share_of_best_labels_grows_although_rounds_are_refused(
    world: Path, tmp_path: Path
) -> None:
    filters = {"pseudo": [{"use": "best_share", "keep": 0.8, "grow": 0.2}]}
    # A recognizer that makes no errors gains nothing.
    asr = {"use": "toy", "letters": LETTERS}
    plan = load(world, {"filters": filters, "gates": ["minimum_gain"], "asr": asr, "rounds": 3})
    for share in (0.8, 1.0):
        done = next_round(plan, tmp_path / "run")
        inputs = json.dumps(read_json(done.folder / "filtered_labels" / "made.json"))
        assert f'"keep": {share}, "grow": 0.0' in inputs
        assert not done.verdict.accepted
    # All labels are kept by now, so a third round would be the second one again.
    with pytest.raises(NothingNew):
        next_round(plan, tmp_path / "run")
