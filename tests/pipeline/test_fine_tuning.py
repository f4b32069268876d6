"""Zero-shot, fine-tuned and from scratch, in the toy world."""

from __future__ import annotations

from pathlib import Path

import pytest

from twister_loop import ConfigError, LeakError, StaleError, load
from twister_loop.asr._base import Recognizer
from twister_loop.cli.main import main
from twister_loop.pipeline.experiments.fine_tuning import Study, run_study


def test_every_model_is_measured_on_every_set(world: Path, tmp_path: Path) -> None:
    plan = load(world)
    scratch = [Recognizer.build({"use": "toy"}) for _ in range(2)]
    found = run_study(plan, tmp_path / "study", scratch)
    models = ["zero-shot", "fine-tuned", "from scratch: toy", "from scratch: toy-2"]
    assert [(row.score.name, row.model) for row in found.rows] == [
        (name, model) for name in plan.sets for model in models
    ]
    for name in plan.sets:
        before, tuned, *others = (row for row in found.rows if row.score.name == name)
        assert before.word_change is None and before.character_change is None
        assert tuned.character_change and tuned.character_change.low <= tuned.character_change.rate
        assert [each.score.characters for each in others] == [tuned.score.characters] * 2
    kinds = {row.score.kind: row for row in found.rows if row.model == "fine-tuned"}
    assert kinds["test"].character_change and kinds["test"].character_change.rate < 0
    assert Study.load(tmp_path / "study") == found
    said = (tmp_path / "study/study.md").read_text()
    assert said == found.markdown() and said.count("| zero-shot |") == len(plan.sets)


def test_what_is_done_is_not_done_again_and_other_data_is_refused(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = load(world)
    found = run_study(plan, tmp_path / "study", ())

    def heard(*_: object) -> None:
        raise AssertionError("something was heard again")

    monkeypatch.setattr("twister_loop.asr.toy.ToyRecognizer.transcribe", heard)
    assert run_study(plan, tmp_path / "study", ()) == found
    with pytest.raises(StaleError):
        run_study(load(world, {"language": "fr"}), tmp_path / "study", ())


def test_held_out_speech_is_not_learned_from(world: Path, tmp_path: Path) -> None:
    with pytest.raises(LeakError, match=r"test\..* also in human"):
        run_study(load(world, {"human": "data/test"}), tmp_path / "study", ())
    with pytest.raises(ConfigError, match="the plan names none"):
        run_study(load(world, {"human": []}), tmp_path / "other", ())


def test_the_command_prints_the_tables(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["study", str(world), str(tmp_path / "study")]
    assert main([*command, "--from-scratch", "toy", "{use: toy}"]) == 0
    printed = capsys.readouterr().out
    assert "| from scratch: toy-2 |" in printed and "S / D / I" in printed and "study.md" in printed


def test_compare_has_no_option_for_models_from_scratch(world: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["compare", str(world), str(tmp_path / "arms"), "--from-scratch", "toy"])
