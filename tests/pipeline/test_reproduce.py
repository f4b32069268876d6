"""The same plan, seed and machine give the same bytes; and one is told where they do not."""

import json
from pathlib import Path

import pytest

from twister_loop import ConfigError, load, refine
from twister_loop.cli.main import main
from twister_loop.core.artifacts import read_json, write_json
from twister_loop.core.environment import Environment, describe_environment
from twister_loop.pipeline.experiments.reproduce import reproduce


@pytest.fixture
def run(world: Path, tmp_path: Path) -> Path:
    list(refine(load(world), tmp_path / "run"))
    return tmp_path / "run"


def test_a_run_comes_out_the_same_from_its_own_notes(
    run: Path, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world.unlink()
    assert main(["reproduce", str(run)]) == 0
    said = capsys.readouterr().out
    assert "round 2: " in said and "all files are identical" in said
    [first, second] = reproduce(run, run.with_name("run.again"))
    assert (
        first.is_identical
        and second.is_identical
        and first.file_count > 10
        and not first.machine_differences
    )


def test_what_differs_is_named_in_the_order_of_the_loop(run: Path, world: Path) -> None:
    heard = run / "round-01" / "pseudo_labels" / "made.json"
    note = read_json(heard)
    write_json({**note, "content": {**note["content"], "manifest.jsonl": "0"}}, heard)
    machine = describe_environment()
    other = Environment("2.7", machine.system, "a slide rule", 1, {"numpy": "0.1"})
    other.save(run / "round-01")
    [first, second] = reproduce(run, run.parent / "elsewhere")
    assert first.differing_files == ("pseudo_labels/manifest.jsonl",) and second.is_identical
    assert f"processor: a slide rule -> {machine.processor}" in first.machine_differences
    assert any(line.startswith("packages.numpy: 0.1 -> ") for line in first.machine_differences)


def test_there_must_be_something_to_repeat_and_somewhere_to_do_it(
    run: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="into itself"):
        list(reproduce(run, run))
    with pytest.raises(ConfigError, match="no run here"):
        list(reproduce(tmp_path / "nothing", tmp_path / "into"))


def test_a_round_notes_what_it_ran_on_and_its_seed(run: Path) -> None:
    noted = Environment.load(run / "round-01")
    assert noted == describe_environment() and noted.cores >= 1 and "numpy" in noted.packages
    assert json.loads((run / "round-01" / "plan.json").read_text())["seed"] > 0
