"""Reproduction: the same plan, seed and machine give the same bytes, and differences are named."""

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


def test_a_run_is_reproduced_byte_for_byte_from_its_own_records(
    run: Path, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world.unlink()
    assert main(["reproduce", str(run)]) == 0
    printed = capsys.readouterr().out
    assert "round 2: " in printed and "all files are identical" in printed
    [first, second] = reproduce(run, run.with_name("run.again"))
    assert (
        first.is_identical
        and second.is_identical
        and first.file_count > 10
        and not first.machine_differences
    )


def test_differences_are_named_in_the_order_of_the_loop(run: Path, world: Path) -> None:
    record = run / "round-01" / "pseudo_labels" / "made.json"
    content = read_json(record)
    write_json({**content, "content": {**content["content"], "manifest.jsonl": "0"}}, record)
    machine = describe_environment()
    other_machine = Environment("2.7", machine.system, "a slide rule", 1, {"numpy": "0.1"})
    other_machine.save(run / "round-01")
    [first, second] = reproduce(run, run.parent / "elsewhere")
    assert first.differing_files == ("pseudo_labels/manifest.jsonl",) and second.is_identical
    assert f"processor: a slide rule -> {machine.processor}" in first.machine_differences
    assert any(line.startswith("packages.numpy: 0.1 -> ") for line in first.machine_differences)


def test_a_run_without_finished_rounds_or_into_itself_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="into itself"):
        list(reproduce(run, run))
    with pytest.raises(ConfigError, match="no run here"):
        list(reproduce(tmp_path / "nothing", tmp_path / "into"))


def test_a_round_records_its_machine_and_seed(run: Path) -> None:
    recorded = Environment.load(run / "round-01")
    assert (
        recorded == describe_environment() and recorded.cores >= 1 and "numpy" in recorded.packages
    )
    assert json.loads((run / "round-01" / "plan.json").read_text())["seed"] > 0
