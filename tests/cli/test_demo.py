"""`twister demo`: what it announces, and its plans; the toy demo has tests of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from twister_loop import RunFolder, load
from twister_loop.cli import demo
from twister_loop.cli.main import main
from twister_loop.core.manifest import Manifest
from twister_loop.pipeline.run_folder import load_round
from twister_loop.pipeline.stage_table import STAGES

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TWISTER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("kind", ["", "--quick"])
def test_a_demo_says_what_it_needs_and_shows_a_finished_run_again(
    kind: str,
    world: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # The toy world in the place of the prompts, so that no weights are needed.
    monkeypatch.setattr(demo, "QUICK_PLAN" if kind else "FULL_PLAN", world)
    monkeypatch.chdir(tmp_path)
    arguments = list(filter(None, ["demo", kind, "--rounds", "1"]))
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.index("Model: toy") < printed.index("Time: ") < printed.index("round 1: acc")
    run = Path("runs/quick" if kind else "runs/demo")
    assert printed.index("index.html") < printed.index(f"twister dashboard {run}")
    assert len(RunFolder.read(run).finished_rounds) == 1

    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "Time: " not in printed and "round 1: accepted" in printed and "index.html" in printed

    # More rounds of the same run, in a folder that is named.
    assert main([*filter(None, ["demo", kind, "--rounds", "2"]), str(run)]) == 0
    assert len(RunFolder.read(run).finished_rounds) == 2


def test_an_interrupted_demo_is_resumed_without_another_announcement(
    world: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(demo, "QUICK_PLAN", world)
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as interrupted:

        def interrupt(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        interrupted.setattr("twister_loop.pipeline.loop.find_speechless_clips", interrupt)
        assert main(["demo", "--quick"]) == 130
    capsys.readouterr()
    assert main(["demo", "--quick"]) == 0
    printed = capsys.readouterr().out
    assert "A round in progress is resumed." in printed and "Time: " not in printed


def test_missing_weights_are_told_before_recordings_are_fetched(
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "plans"
    folder.mkdir()
    plan = folder / "quick.yaml"
    plan.write_text(
        demo.QUICK_PLAN.read_text().replace("openai/whisper-base", "nobody/has-this-model")
    )
    (folder / "texts").symlink_to(demo.PLANS / "texts")
    monkeypatch.setattr(demo, "QUICK_PLAN", plan)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main(["demo", "--quick", str(tmp_path / "run")]) == 2
    refusal = capsys.readouterr().err
    assert "nobody/has-this-model" in refusal and str(plan) in refusal
    assert not cache.exists() and not (tmp_path / "run").exists()


def test_the_recordings_of_a_demo_are_known_before_they_are_fetched(cache: Path) -> None:
    quick, full = (demo.list_prompt_sets(load(plan)) for plan in (demo.QUICK_PLAN, demo.FULL_PLAN))
    assert [prompts.name for prompts in quick] == ["it-carlo", "en-allison"]
    assert [prompts.name for prompts in full] == ["it-carlo", "it-menardi", "en-allison"]
    assert not cache.exists()


def test_quick_and_toy_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", "--quick", "--toy"])
    assert "not allowed with" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["ivr.yaml", "quick.yaml", "texts/ivr.it.txt"])
def test_the_repository_shows_the_plans_of_the_package(name: str) -> None:
    shown = CONFIGS / name
    assert shown.is_symlink(), f"configs/{name} is a link; edit the file that it points to"
    assert shown.resolve() == (demo.PLANS / name).resolve()


@pytest.mark.pretrained
@pytest.mark.slow
def test_the_quick_demo_is_a_whole_round_with_real_speech(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--quick", str(tmp_path / "run")]) == 0
    [folder] = RunFolder.read(tmp_path / "run").finished_rounds
    verdict = load_round(folder).verdict
    # An outcome with its reasons: it depends on the machine whether the few words suffice.
    assert verdict.accepted or verdict.objections
    stages = {stage.folder.split("/")[0] for stage in STAGES}
    ran = {path.name for path in folder.iterdir()} & stages
    assert ran >= {"untouched", "pseudo_labels", "rescored", "filtered_labels", "voices"}
    assert ran >= {"mixture", "candidate", "report", "verdict"}
    origins = {utterance.origin for utterance in Manifest(folder / "mixture")}
    assert origins == {"pseudo", "synthetic"}
    assert len(Manifest(folder / "inputs" / "development" / "it-dev")) >= 20
    assert "Page: " in capsys.readouterr().out
