"""Fine-tuning study in the toy world: zero-shot, fine-tuned and from scratch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import world as toy
from twister_loop import load
from twister_loop.asr._base import Recognizer
from twister_loop.cli.main import main
from twister_loop.errors import ConfigError, LeakError, StaleError
from twister_loop.pipeline.experiments.fine_tuning import Study, run_study
from twister_loop.pipeline.run_folder import FORMAT


def test_every_model_is_evaluated_on_every_set(world: Path, tmp_path: Path) -> None:
    plan = load(world)
    from_scratch = [Recognizer.build({"use": "toy"}) for _ in range(2)]
    study = run_study(plan, tmp_path / "study", from_scratch)
    models = ["zero-shot", "fine-tuned", "from scratch: toy", "from scratch: toy-2"]
    assert [(row.score.name, row.model) for row in study.rows] == [
        (set_name, model) for set_name in plan.sets for model in models
    ]
    for set_name in plan.sets:
        rows = [row for row in study.rows if row.score.name == set_name]
        zero_shot, tuned, *scratch = rows
        assert zero_shot.change is None
        assert tuned.change
        assert tuned.change.low <= tuned.change.rate
        assert [row.score.characters for row in scratch] == [tuned.score.characters] * 2
    tuned_by_kind = {row.score.kind: row for row in study.rows if row.model == "fine-tuned"}
    test_change = tuned_by_kind["test"].change
    assert test_change and test_change.rate < 0
    assert Study.load(tmp_path / "study") == study
    tables = (tmp_path / "study/study.md").read_text()
    assert tables == study.markdown() and tables.count("| zero-shot |") == len(plan.sets)
    assert tables.count("| change of WER (95 %, of the set alone) |") == len(plan.sets)
    assert tables.count("| WER % | S / D / I | CER % | S / D / I | MER % |") == len(plan.sets)
    assert study.trained_on.utterances == len(toy.HUMAN) and study.trained_on.duration > 0


def test_a_set_of_characters_is_compared_by_characters(world: Path, tmp_path: Path) -> None:
    study = run_study(load(world, {"language": "ja"}), tmp_path / "study", ())
    zero_shot, tuned = study.rows[:2]
    assert tuned.change
    difference = tuned.score.characters.rate - zero_shot.score.characters.rate
    assert tuned.change.rate == pytest.approx(difference)
    assert "| change of CER (95 %, of the set alone) |" in study.markdown()


def test_a_finished_study_transcribes_nothing_again_and_refuses_other_data(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = load(world)
    study = run_study(plan, tmp_path / "study", ())

    def fail(*_: object) -> None:
        raise AssertionError("something was transcribed again")

    monkeypatch.setattr("twister_loop.asr.toy.ToyRecognizer.transcribe", fail)
    assert run_study(plan, tmp_path / "study", ()) == study
    with pytest.raises(StaleError, match="is a study of other data"):
        run_study(load(world, {"language": "fr"}), tmp_path / "study", ())


def test_a_study_shows_both_decodings(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twister_loop.asr.toy.ToyRecognizer.full_window", lambda self: self)
    plan = load(world)
    study = run_study(plan, tmp_path / "study", ())
    assert [row.decoding for row in study.rows] == [
        decoding for decoding in ("clip", "standard") for _ in range(2 * len(plan.sets))
    ]
    assert study.markdown().count(" in standard decoding (") == len(plan.sets)


def test_models_that_are_trained_once_are_not_called_different(world: Path, tmp_path: Path) -> None:
    toy.speak([*toy.HUMAN, "ie ua oe"], human := tmp_path / "data" / "human")
    listing = (human / "metadata.jsonl").read_text()
    (human / "metadata.jsonl").write_text(listing.replace("ie ua oe", toy.TEST[0].upper()))
    study = run_study(load(world), tmp_path / "study", ())
    tables = study.markdown()
    assert "significant" not in tables and "no difference between models is claimed" in tables
    assert study.near_twins.utterances == 1
    assert "Trained on 2 utterances, 0.00 h. Dropped as near twins of held-out texts: 1." in tables


def test_a_study_does_not_write_into_a_run(world: Path, tmp_path: Path) -> None:
    plan = load(world)
    (tmp_path / "run" / "round-01").mkdir(parents=True)
    (tmp_path / "run" / "run.json").write_text(json.dumps({"format": FORMAT}))
    with pytest.raises(ConfigError, match="a run with rounds, and no study; name another folder"):
        run_study(plan, tmp_path / "run", ())
    assert not (tmp_path / "run" / "inputs").exists()


def test_held_out_speech_is_not_trained_on(world: Path, tmp_path: Path) -> None:
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
